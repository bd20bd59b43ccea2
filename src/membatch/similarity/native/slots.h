/* Loops over a hash table of rows: from a 64-bit key to the row that holds it; see `similarity/slots.py`. */
#ifndef MEMBATCH_SLOTS_H
#define MEMBATCH_SLOTS_H

#include "native.h"

enum { FREE = -1 };

/* The slots, whose last one is free and ends every search; homes are among the first `capacity`. */
typedef struct {
    int32_t *rows;
    int64_t size, capacity;
} Slots;

/* Write, for each wanted key, the row whose columns equal it and its slot, -1 where there is none.
 *
 * `checks` and `wanted_checks` are a second column, or NULL. */
void find_keys(const Slots *slots, const uint64_t *keys, const uint64_t *checks, const uint64_t *wanted,
               const uint64_t *wanted_checks, int64_t count, int64_t *found, int64_t *places);

/* Enter rows whose keys are not there; return false, with none of them entered, if one found no place. */
bool enter_keys(const Slots *slots, const uint64_t *keys, const int64_t *rows, int64_t count);

#endif
