/* What a whole stretch of a crowd is to a record, where its members are alike enough for one answer.
 *
 * Rule: an answer is given only where each member of the stretch has it; else the members are looked at one by one.
 * Small sums over stretches of a column: Moerkotte, Small Materialized Aggregates (VLDB 1998). */
#ifndef MEMBATCH_ZONES_H
#define MEMBATCH_ZONES_H

#include "crowds.h"

/* Where a value is among the 64 words of a zone, and its four bits there: another value seldom has them all. */
typedef struct {
    int64_t word;
    uint64_t bits;
} Spot;

INLINE Spot spot_of(uint64_t value)
{
    uint64_t hash = mixed(value);
    uint64_t bits = UINT64_C(1) << (hash & 63) | UINT64_C(1) << (hash >> 6 & 63);
    bits |= UINT64_C(1) << (hash >> 12 & 63) | UINT64_C(1) << (hash >> 18 & 63);
    return (Spot){(int64_t)(hash >> 24 & 63), bits};
}

INLINE bool may_have(const uint64_t *words, uint64_t value)
{
    Spot spot = spot_of(value);
    return (words[spot.word] & spot.bits) == spot.bits;
}

/* How many tokens with a digit a record shares with each member of a zone, UNDECIDED if that differs. */
INLINE int64_t zone_overlap(const int32_t *mine, int64_t count, const Zones *zones, int64_t zone)
{
    int64_t both = 0;
    int32_t(*digits)[2] = zones->digits + zone * zones->width;
    for (int64_t place = 0; place < count; place++) {
        bool is_settled = false;
        for (int64_t at = 0; at < zones->width; at++) {
            if (digits[at][0] == mine[place] && digits[at][1] == mine[place]) {
                both++;
                is_settled = true;
            }
        }
        if (!is_settled && may_have(zones->digit_bits[zone], (uint64_t)mine[place])) return UNDECIDED;
    }
    return both;
}

/* 1 if the members of a zone have a content hash, 0 if none has, UNDECIDED if some may. */
INLINE int64_t zone_is_led(uint64_t content_hash, const Zones *zones, int64_t zone)
{
    const uint64_t *hashes = zones->hashes[zone];
    if (hashes[0] == content_hash && hashes[1] == content_hash) return 1;
    if (content_hash < hashes[0] || content_hash > hashes[1]) return 0;
    return may_have(zones->hash_bits[zone], content_hash) ? UNDECIDED : 0;
}

/* The guard that refuses a record and each member of a zone whose whos give `by_who`, or UNDECIDED. */
INLINE int64_t zone_refuses(int64_t by_who, int64_t time, int64_t numbers, int64_t contents, const Zones *zones,
                            int64_t zone, int64_t mask)
{
    const int64_t *times = zones->time[zone];
    const int32_t *theirs = zones->numbers[zone], *other_contents = zones->contents[zone];
    if (by_who == SUBJECT || by_who == PARTICIPANTS) return by_who;
    if (mask & 1 << WHEN) {
        if (by_who == WHEN) return WHEN;
        if (time != NEVER && zones->given[zone] != 0) {
            if (zones->given[zone] == 2 && (time > times[1] + DAY || time < times[0] - DAY)) return WHEN;
            if (times[1] - time > DAY || time - times[0] > DAY) return UNDECIDED;
        }
    }
    if (mask & 1 << NUMBERS) {
        if (numbers < theirs[0] || numbers > theirs[1]) return NUMBERS;
        if (!may_have(zones->number_bits[zone], (uint64_t)numbers)) return NUMBERS;
        if (theirs[0] == theirs[1] && contents != 0 && other_contents[0] != 0) {
            if (contents < other_contents[0] || contents > other_contents[1]) return NUMBERS;
        }
    }
    return UNDECIDED;
}

#endif
