/* What every public header needs: which symbols leave the library, C linkage for C++, and the
 * attributes that let the compiler check a caller. Nothing here is of interest to users. */
#ifndef LIDO_EXPORT_H
#define LIDO_EXPORT_H

#if defined(__GNUC__)
#define LIDO_API __attribute__((visibility("default")))
#define LIDO_FORMAT(format_at, first_at) __attribute__((format(printf, format_at, first_at)))
#define LIDO_USE_RESULT __attribute__((warn_unused_result))
#else
#define LIDO_API
#define LIDO_FORMAT(format_at, first_at)
#define LIDO_USE_RESULT
#endif

#ifdef __cplusplus
#define LIDO_BEGIN_C extern "C" {
#define LIDO_END_C }
#define LIDO_CAST(type, value) static_cast<type>(value)
#else
#define LIDO_BEGIN_C
#define LIDO_END_C
#define LIDO_CAST(type, value) ((type)(value))
#endif

#endif
