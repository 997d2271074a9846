/* Typed parameters and targets: how a macro turns its arguments into an array, each by its own type.
 *
 * LIDO_ARGUMENTS(sql, a, b) becomes `sql, 2, (const lido_value[]){…}`. The SQL is the first of the variadic
 * arguments so that the list is never empty, which strict C17 does not allow. A type that no database can hold does not
 * compile; plain `char` neither, for it could be a letter or a number. */
#ifndef LIDO_ARGUMENTS_H
#define LIDO_ARGUMENTS_H

#include <lido/rows.h>
#include <lido/value.h>

/* NULL as a parameter. */
#define lido_null lido_value_null()

/* A value for the placeholder :name. */
#define LIDO_AS(name, value) lido_value_named(name, LIDO_VALUE(value))

/* Any C value as a lido_value. */
#define LIDO_VALUE(value) LIDO_VALUE_MAKER(value)(value)

/* clang-format off */
#define LIDO_VALUE_MAKER(value)               \
    _Generic((value),                         \
        bool: lido_value_bool,                \
        signed char: lido_value_int64,        \
        short: lido_value_int64,              \
        int: lido_value_int64,                \
        long: lido_value_int64,               \
        long long: lido_value_int64,          \
        unsigned char: lido_value_uint64,     \
        unsigned short: lido_value_uint64,    \
        unsigned: lido_value_uint64,          \
        unsigned long: lido_value_uint64,     \
        unsigned long long: lido_value_uint64, \
        float: lido_value_double,             \
        double: lido_value_double,            \
        char *: lido_value_text,              \
        const char *: lido_value_text,        \
        void *: lido_value_pointer,           \
        const void *: lido_value_pointer,     \
        lido_uuid: lido_value_uuid,           \
        lido_time: lido_value_time,           \
        lido_bytes: lido_value_bytes,         \
        lido_json: lido_value_json,           \
        lido_numeric: lido_value_numeric,     \
        lido_value: lido_value_itself)

/* The kind of target that a pointer is. */
#define LIDO_TARGET_KIND(pointer) \
    _Generic((pointer), LIDO_TARGET_KINDS, lido_value *: LIDO_TARGET_VALUE)

/* Those that a column of a table may have. A pointer to a const value is one that may be NULL. */
#define LIDO_TARGET_KINDS \
    bool *: LIDO_TARGET_BOOL, \
    signed char *: LIDO_TARGET_SIGNED_CHAR, \
    unsigned char *: LIDO_TARGET_UNSIGNED_CHAR, \
    short *: LIDO_TARGET_SHORT, \
    unsigned short *: LIDO_TARGET_UNSIGNED_SHORT, \
    int *: LIDO_TARGET_INT, \
    unsigned *: LIDO_TARGET_UNSIGNED, \
    long *: LIDO_TARGET_LONG, \
    unsigned long *: LIDO_TARGET_UNSIGNED_LONG, \
    long long *: LIDO_TARGET_LONG_LONG, \
    unsigned long long *: LIDO_TARGET_UNSIGNED_LONG_LONG, \
    float *: LIDO_TARGET_FLOAT, \
    double *: LIDO_TARGET_DOUBLE, \
    const char **: LIDO_TARGET_TEXT, \
    lido_uuid *: LIDO_TARGET_UUID, \
    lido_time *: LIDO_TARGET_TIME, \
    lido_bytes *: LIDO_TARGET_BYTES, \
    lido_json *: LIDO_TARGET_JSON, \
    lido_numeric *: LIDO_TARGET_NUMERIC, \
    const bool **: LIDO_TARGET_NULLABLE + LIDO_TARGET_BOOL, \
    const signed char **: LIDO_TARGET_NULLABLE + LIDO_TARGET_SIGNED_CHAR, \
    const unsigned char **: LIDO_TARGET_NULLABLE + LIDO_TARGET_UNSIGNED_CHAR, \
    const short **: LIDO_TARGET_NULLABLE + LIDO_TARGET_SHORT, \
    const unsigned short **: LIDO_TARGET_NULLABLE + LIDO_TARGET_UNSIGNED_SHORT, \
    const int **: LIDO_TARGET_NULLABLE + LIDO_TARGET_INT, \
    const unsigned **: LIDO_TARGET_NULLABLE + LIDO_TARGET_UNSIGNED, \
    const long **: LIDO_TARGET_NULLABLE + LIDO_TARGET_LONG, \
    const unsigned long **: LIDO_TARGET_NULLABLE + LIDO_TARGET_UNSIGNED_LONG, \
    const long long **: LIDO_TARGET_NULLABLE + LIDO_TARGET_LONG_LONG, \
    const unsigned long long **: LIDO_TARGET_NULLABLE + LIDO_TARGET_UNSIGNED_LONG_LONG, \
    const float **: LIDO_TARGET_NULLABLE + LIDO_TARGET_FLOAT, \
    const double **: LIDO_TARGET_NULLABLE + LIDO_TARGET_DOUBLE, \
    const lido_uuid **: LIDO_TARGET_NULLABLE + LIDO_TARGET_UUID, \
    const lido_time **: LIDO_TARGET_NULLABLE + LIDO_TARGET_TIME

/* Where lido_scan puts a column. */
#define LIDO_TARGET(pointer) {(lido_target_kind)(LIDO_TARGET_KIND(pointer)), (pointer)}

#define LIDO_ARGUMENTS(...) LIDO_GLUE(LIDO_ARGUMENTS_, LIDO_ONE_OR_MORE(__VA_ARGS__))(__VA_ARGS__)
#define LIDO_ARGUMENTS_1(sql) sql, 0, NULL
#define LIDO_ARGUMENTS_N(sql, ...) \
    sql, LIDO_COUNT(__VA_ARGS__), (const lido_value[]){LIDO_MAP(LIDO_VALUE, __VA_ARGS__)}

#define LIDO_GLUE(a, b) LIDO_GLUE_(a, b)
#define LIDO_GLUE_(a, b) a##b

/* Counts its 1 to 65 arguments. */
#define LIDO_COUNT(...) LIDO_PICK(__VA_ARGS__, 65, 64, 63, 62, 61, 60, 59, 58, 57, 56, 55, 54, 53, \
    52, 51, 50, 49, 48, 47, 46, 45, 44, 43, 42, 41, 40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 30, 29, \
    28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, \
    2, 1, 0)
#define LIDO_ONE_OR_MORE(...) LIDO_PICK(__VA_ARGS__, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, \
    N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, \
    N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, N, 1, 0)
#define LIDO_PICK(_1, _2, _3, _4, _5, _6, _7, _8, _9, _10, _11, _12, _13, _14, _15, _16, _17, _18, \
    _19, _20, _21, _22, _23, _24, _25, _26, _27, _28, _29, _30, _31, _32, _33, _34, _35, _36, _37, \
    _38, _39, _40, _41, _42, _43, _44, _45, _46, _47, _48, _49, _50, _51, _52, _53, _54, _55, _56, \
    _57, _58, _59, _60, _61, _62, _63, _64, _65, picked, ...) picked

/* LIDO_MAP(f, a, b) becomes f(a), f(b). */
#define LIDO_MAP(f, ...) LIDO_GLUE(LIDO_MAP_, LIDO_COUNT(__VA_ARGS__))(f, __VA_ARGS__)
#define LIDO_MAP_1(f, a) f(a)
#define LIDO_MAP_2(f, a, ...) f(a), LIDO_MAP_1(f, __VA_ARGS__)
#define LIDO_MAP_3(f, a, ...) f(a), LIDO_MAP_2(f, __VA_ARGS__)
#define LIDO_MAP_4(f, a, ...) f(a), LIDO_MAP_3(f, __VA_ARGS__)
#define LIDO_MAP_5(f, a, ...) f(a), LIDO_MAP_4(f, __VA_ARGS__)
#define LIDO_MAP_6(f, a, ...) f(a), LIDO_MAP_5(f, __VA_ARGS__)
#define LIDO_MAP_7(f, a, ...) f(a), LIDO_MAP_6(f, __VA_ARGS__)
#define LIDO_MAP_8(f, a, ...) f(a), LIDO_MAP_7(f, __VA_ARGS__)
#define LIDO_MAP_9(f, a, ...) f(a), LIDO_MAP_8(f, __VA_ARGS__)
#define LIDO_MAP_10(f, a, ...) f(a), LIDO_MAP_9(f, __VA_ARGS__)
#define LIDO_MAP_11(f, a, ...) f(a), LIDO_MAP_10(f, __VA_ARGS__)
#define LIDO_MAP_12(f, a, ...) f(a), LIDO_MAP_11(f, __VA_ARGS__)
#define LIDO_MAP_13(f, a, ...) f(a), LIDO_MAP_12(f, __VA_ARGS__)
#define LIDO_MAP_14(f, a, ...) f(a), LIDO_MAP_13(f, __VA_ARGS__)
#define LIDO_MAP_15(f, a, ...) f(a), LIDO_MAP_14(f, __VA_ARGS__)
#define LIDO_MAP_16(f, a, ...) f(a), LIDO_MAP_15(f, __VA_ARGS__)
#define LIDO_MAP_17(f, a, ...) f(a), LIDO_MAP_16(f, __VA_ARGS__)
#define LIDO_MAP_18(f, a, ...) f(a), LIDO_MAP_17(f, __VA_ARGS__)
#define LIDO_MAP_19(f, a, ...) f(a), LIDO_MAP_18(f, __VA_ARGS__)
#define LIDO_MAP_20(f, a, ...) f(a), LIDO_MAP_19(f, __VA_ARGS__)
#define LIDO_MAP_21(f, a, ...) f(a), LIDO_MAP_20(f, __VA_ARGS__)
#define LIDO_MAP_22(f, a, ...) f(a), LIDO_MAP_21(f, __VA_ARGS__)
#define LIDO_MAP_23(f, a, ...) f(a), LIDO_MAP_22(f, __VA_ARGS__)
#define LIDO_MAP_24(f, a, ...) f(a), LIDO_MAP_23(f, __VA_ARGS__)
#define LIDO_MAP_25(f, a, ...) f(a), LIDO_MAP_24(f, __VA_ARGS__)
#define LIDO_MAP_26(f, a, ...) f(a), LIDO_MAP_25(f, __VA_ARGS__)
#define LIDO_MAP_27(f, a, ...) f(a), LIDO_MAP_26(f, __VA_ARGS__)
#define LIDO_MAP_28(f, a, ...) f(a), LIDO_MAP_27(f, __VA_ARGS__)
#define LIDO_MAP_29(f, a, ...) f(a), LIDO_MAP_28(f, __VA_ARGS__)
#define LIDO_MAP_30(f, a, ...) f(a), LIDO_MAP_29(f, __VA_ARGS__)
#define LIDO_MAP_31(f, a, ...) f(a), LIDO_MAP_30(f, __VA_ARGS__)
#define LIDO_MAP_32(f, a, ...) f(a), LIDO_MAP_31(f, __VA_ARGS__)
#define LIDO_MAP_33(f, a, ...) f(a), LIDO_MAP_32(f, __VA_ARGS__)
#define LIDO_MAP_34(f, a, ...) f(a), LIDO_MAP_33(f, __VA_ARGS__)
#define LIDO_MAP_35(f, a, ...) f(a), LIDO_MAP_34(f, __VA_ARGS__)
#define LIDO_MAP_36(f, a, ...) f(a), LIDO_MAP_35(f, __VA_ARGS__)
#define LIDO_MAP_37(f, a, ...) f(a), LIDO_MAP_36(f, __VA_ARGS__)
#define LIDO_MAP_38(f, a, ...) f(a), LIDO_MAP_37(f, __VA_ARGS__)
#define LIDO_MAP_39(f, a, ...) f(a), LIDO_MAP_38(f, __VA_ARGS__)
#define LIDO_MAP_40(f, a, ...) f(a), LIDO_MAP_39(f, __VA_ARGS__)
#define LIDO_MAP_41(f, a, ...) f(a), LIDO_MAP_40(f, __VA_ARGS__)
#define LIDO_MAP_42(f, a, ...) f(a), LIDO_MAP_41(f, __VA_ARGS__)
#define LIDO_MAP_43(f, a, ...) f(a), LIDO_MAP_42(f, __VA_ARGS__)
#define LIDO_MAP_44(f, a, ...) f(a), LIDO_MAP_43(f, __VA_ARGS__)
#define LIDO_MAP_45(f, a, ...) f(a), LIDO_MAP_44(f, __VA_ARGS__)
#define LIDO_MAP_46(f, a, ...) f(a), LIDO_MAP_45(f, __VA_ARGS__)
#define LIDO_MAP_47(f, a, ...) f(a), LIDO_MAP_46(f, __VA_ARGS__)
#define LIDO_MAP_48(f, a, ...) f(a), LIDO_MAP_47(f, __VA_ARGS__)
#define LIDO_MAP_49(f, a, ...) f(a), LIDO_MAP_48(f, __VA_ARGS__)
#define LIDO_MAP_50(f, a, ...) f(a), LIDO_MAP_49(f, __VA_ARGS__)
#define LIDO_MAP_51(f, a, ...) f(a), LIDO_MAP_50(f, __VA_ARGS__)
#define LIDO_MAP_52(f, a, ...) f(a), LIDO_MAP_51(f, __VA_ARGS__)
#define LIDO_MAP_53(f, a, ...) f(a), LIDO_MAP_52(f, __VA_ARGS__)
#define LIDO_MAP_54(f, a, ...) f(a), LIDO_MAP_53(f, __VA_ARGS__)
#define LIDO_MAP_55(f, a, ...) f(a), LIDO_MAP_54(f, __VA_ARGS__)
#define LIDO_MAP_56(f, a, ...) f(a), LIDO_MAP_55(f, __VA_ARGS__)
#define LIDO_MAP_57(f, a, ...) f(a), LIDO_MAP_56(f, __VA_ARGS__)
#define LIDO_MAP_58(f, a, ...) f(a), LIDO_MAP_57(f, __VA_ARGS__)
#define LIDO_MAP_59(f, a, ...) f(a), LIDO_MAP_58(f, __VA_ARGS__)
#define LIDO_MAP_60(f, a, ...) f(a), LIDO_MAP_59(f, __VA_ARGS__)
#define LIDO_MAP_61(f, a, ...) f(a), LIDO_MAP_60(f, __VA_ARGS__)
#define LIDO_MAP_62(f, a, ...) f(a), LIDO_MAP_61(f, __VA_ARGS__)
#define LIDO_MAP_63(f, a, ...) f(a), LIDO_MAP_62(f, __VA_ARGS__)
#define LIDO_MAP_64(f, a, ...) f(a), LIDO_MAP_63(f, __VA_ARGS__)
/* clang-format on */

#endif
