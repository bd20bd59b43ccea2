/* Loops over a hash table of rows: from a 64-bit key to the row that holds it. */
#include "slots.h"

enum { STRETCH = 64 }; /* keys whose slots are asked of memory together */

/* Any capacity works, because a slot is chosen by the upper bits of the mixed key. */
INLINE int64_t home_of(uint64_t key, int64_t capacity)
{
    return (int64_t)(((key * MIX) >> 32) * (uint64_t)capacity >> 32);
}

void find_keys(const Slots *slots, const uint64_t *keys, const uint64_t *checks, const uint64_t *wanted,
               const uint64_t *wanted_checks, int64_t count, int64_t *found, int64_t *places)
{
    const int32_t *rows = slots->rows;
    for (int64_t first = 0; first < count; first += STRETCH) {
        int64_t stop = smaller(count, first + STRETCH);
        for (int64_t at = first; at < stop; at++) {
            places[at] = home_of(wanted[at], slots->capacity);
            PREFETCH(rows + places[at]);
        }
        for (int64_t at = first; at < stop; at++) {
            int32_t row = rows[places[at]];
            if (row == FREE) continue;
            PREFETCH(keys + row);
            if (checks) PREFETCH(checks + row);
        }
        for (int64_t at = first; at < stop; at++) {
            int64_t slot = places[at];
            int32_t row;
            while ((row = rows[slot]) != FREE
                   && !(keys[row] == wanted[at] && (!checks || checks[row] == wanted_checks[at])))
                slot++;
            found[at] = row == FREE ? -1 : row;
            places[at] = row == FREE ? -1 : slot;
        }
    }
}

bool enter_keys(const Slots *slots, const uint64_t *keys, const int64_t *entered, int64_t count)
{
    int32_t *rows = slots->rows;
    int64_t at = 0;
    for (; at < count; at++) {
        if (at + STRETCH < count) PREFETCH(keys + entered[at + STRETCH]);
        if (at + STRETCH / 2 < count) PREFETCH(rows + home_of(keys[entered[at + STRETCH / 2]], slots->capacity));
        int64_t slot = home_of(keys[entered[at]], slots->capacity);
        while (rows[slot] != FREE) slot++;
        if (slot >= slots->size - 1) break;
        rows[slot] = (int32_t)entered[at];
    }
    if (at == count) return true;
    while (at-- > 0) {
        int64_t slot = home_of(keys[entered[at]], slots->capacity);
        while (rows[slot] != entered[at]) slot++;
        rows[slot] = FREE;
    }
    return false;
}
