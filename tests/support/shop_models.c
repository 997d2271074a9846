/* A shop's models in a library of their own, as `lido schema` takes them. */
#include <lido.h>

typedef struct Owner {
    int64_t id;
    const char *name;
} Owner;

typedef struct Item {
    lido_uuid id;
    const char *name;
    double price;
    int64_t owner_id;
} Item;

LIDO_MODEL_DECLARE(Owner);

LIDO_MODEL(Item, "items", LIDO_KEY(Item, id), LIDO_FIELD(Item, name, .check = "name REGEXP '^[a-z]'", .index = true),
           LIDO_FIELD(Item, price, .fallback = "9.5"), LIDO_REF(Item, owner_id, Owner, .on_delete = LIDO_CASCADE));

LIDO_MODEL(Owner, "owners", LIDO_KEY(Owner, id), LIDO_FIELD(Owner, name, .unique = true));

LIDO_MODELS(&Item_model, &Owner_model);
