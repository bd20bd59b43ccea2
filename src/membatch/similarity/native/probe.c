/* The loop that probes the postings of a join with rows, and verifies what it meets. */
#include "probe.h"

enum {
    SEARCH = 64, /* entries that can be looked at while one is searched for */
    LINE = 8,    /* entries that a processor reads from memory at once, */
    AHEAD = 512, /* and after which it reads ahead by itself */
    NEAR = 16    /* entries beside a guess */
};

#define BYTE UINT64_C(0xFF)
#define LARGEST_ROW (1 << 30) /* tokens: at the lowest thresholds a row reaches farther than 32 bits do */
#define BELOW_SIZE ((UINT64_C(1) << 40) - 1) /* what an entry for one second has below its size */

/* A row with its token at a place, on the look-out for rows that could be similar and have that token. */
typedef struct {
    int64_t row, size, place;
    uint64_t behind; /* the bitmap of its tokens behind the place, folded */
    int64_t least;   /* how many tokens the others may have */
    int64_t most;
    int64_t sum, difference; /* of denominator and numerator */
} Asker;

/* The ones of 22 bits, in steps that a processor does for many values at once. */
INLINE int32_t ones_of_22(uint32_t bits)
{
    bits -= bits >> 1 & 0x155555;
    bits = (bits & 0x333333) + (bits >> 2 & 0x333333);
    bits = (bits + (bits >> 4)) & 0x0F0F0F;
    return (int32_t)((bits + (bits >> 8) + (bits >> 16)) & 0xFF);
}

/* Where the first entry is, of those sorted in start..stop, that is at least a value. */
INLINE int64_t least_at(const uint64_t *slab, int64_t start, int64_t stop, uint64_t value)
{
    int64_t length = stop - start;
    while (length > 1) {
        int64_t half = length >> 1;
        start += half * (slab[start + half - 1] < value); /* without a branch that could be foreseen wrongly */
        length -= half;
    }
    return start + (length == 1 && slab[start] < value);
}

/* How many tokens two rows share, or fewer than needed if that is not reached. */
INLINE int64_t verify(int64_t row, int64_t other, int64_t needed, const Rows *rows)
{
    const uint64_t *mine = rows->signatures + 2 * row, *theirs = rows->signatures + 2 * other;
    int64_t shared = ONES(mine[0] & theirs[0]); /* the frequent ones, which come last */
    const int32_t *left = rows->tokens + rows->offsets[row], *right = rows->tokens + rows->offsets[other];
    const int32_t *left_end = rows->tokens + rows->offsets[row + 1] - ONES(mine[0]);
    const int32_t *right_end = rows->tokens + rows->offsets[other + 1] - ONES(theirs[0]);
    while (left < left_end && right < right_end) {
        if (shared + smaller(left_end - left, right_end - right) < needed) break;
        int32_t one = *left, another = *right;
        shared += one == another;
        left += one >= another;
        right += one <= another;
    }
    return shared;
}

/* Whether an entry for all seconds is of a row that could be similar; of no branch, for many at a time. */
INLINE bool could_reach(uint64_t entry, const Asker *asker, int32_t slack, bool narrow)
{
    int32_t low = (int32_t)smaller(asker->least, WIDEST), high = (int32_t)smaller(asker->most, WIDEST);
    int32_t mine = (int32_t)asker->size, here = (int32_t)asker->place;
    int32_t theirs = (int32_t)(entry >> 55), there = (int32_t)(entry >> 50) & LAST_PLACE;
    int32_t differing = here + ones_of_22((uint32_t)((entry >> 28 & FOLDED) ^ asker->behind));
    int32_t shorter = mine - theirs - slack + there;
    int32_t lacking = there + (differing > shorter ? differing : shorter); /* so many at least only one row has */
    bool could = narrow ? lacking * (int32_t)asker->sum <= (mine + theirs + slack) * (int32_t)asker->difference
                        : lacking * asker->sum <= (int64_t)(mine + theirs + slack) * asker->difference;
    return could & (theirs >= low) & (theirs <= high);
}

/* Collect the entries that fit, without a branch: it would be foreseen wrongly every other time. */
INLINE int64_t pick(const uint64_t *entries, int64_t length, const Room *room, int64_t count)
{
    for (int64_t at = 0; at < length; at++) {
        room->met[count] = entries[at];
        count += room->fits[at];
    }
    return count;
}

INLINE void test_all(const Asker *asker, const uint64_t *entries, int64_t length, uint8_t *restrict fits,
                     int32_t slack, bool narrow)
{
    uint64_t before = (uint64_t)asker->row;
    for (int64_t at = 0; at < length; at++)
        fits[at] = could_reach(entries[at], asker, slack, narrow) & ((entries[at] & ROW) < before);
}

INLINE void test_mixed(const Asker *asker, uint64_t kinds, const uint64_t *entries, int64_t length,
                       uint8_t *restrict fits, int32_t slack, bool narrow)
{
    uint64_t before = (uint64_t)asker->row;
    int32_t low = (int32_t)smaller(asker->least, WIDEST), high = (int32_t)smaller(asker->most, WIDEST);
    int32_t reach = (int32_t)smaller(asker->size, WIDEST);
    for (int64_t at = 0; at < length; at++) {
        uint64_t entry = entries[at];
        bool for_all = could_reach(entry, asker, slack, narrow);
        int32_t theirs = (int32_t)(entry >> 40 & BYTE);
        bool for_one = (theirs >= low) & (theirs <= high) & ((int32_t)(entry >> 32 & BYTE) >= reach);
        for_one &= kinds >> (entry >> 48 & 63) & 1;
        bool is_one = entry >> 63;
        fits[at] = ((is_one & for_one) | (!is_one & for_all)) & ((entry & ROW) < before);
    }
}

/* So much larger than its entry says may a row be. */
INLINE int32_t slack_of(const Asker *asker)
{
    return (int32_t)larger(0, smaller(asker->most, LARGEST_ROW) - WIDEST);
}

/* Whether 32 bits hold what is compared. */
INLINE bool is_narrow(const Asker *asker, int32_t slack)
{
    int64_t largest = asker->size + asker->place + slack + 3 * WIDEST; /* of an entry for one second twice as much is read */
    return largest < INT32_MAX / asker->sum;
}

/* Collect those of some entries for all seconds whose rows could be similar. */
INLINE int64_t scan(const Asker *asker, int64_t start, int64_t stop, const uint64_t *slab, const Room *room,
                    int64_t count)
{
    int32_t slack = slack_of(asker);
    if (is_narrow(asker, slack)) test_all(asker, slab + start, stop - start, room->fits, slack, true);
    else test_all(asker, slab + start, stop - start, room->fits, slack, false);
    return pick(slab + start, stop - start, room, count);
}

/* Collect as `scan` does where entries for one second are among them: of these such whose bit is in `kinds`. */
INLINE int64_t scan_mixed(const Asker *asker, uint64_t kinds, int64_t start, int64_t stop, const uint64_t *slab,
                          const Room *room, int64_t count)
{
    int32_t slack = slack_of(asker);
    if (is_narrow(asker, slack)) test_mixed(asker, kinds, slab + start, stop - start, room->fits, slack, true);
    else test_mixed(asker, kinds, slab + start, stop - start, room->fits, slack, false);
    return pick(slab + start, stop - start, room, count);
}

/* About where the entries for a second token are: hashes are spread evenly. */
INLINE int64_t guess(uint64_t kind, int64_t start, int64_t stop)
{
    return start + (int64_t)((kind >> 48 & 0x7FFF) * (uint64_t)(stop - start) >> 15);
}

/* Collect entries for one second, of those that are sorted. */
INLINE int64_t run(uint64_t kind, int64_t least, int64_t most, int64_t size, int64_t start, int64_t stop,
                   const uint64_t *slab, uint64_t *met, int64_t count)
{
    uint64_t low = kind | clamped(least) << 40, high = kind | clamped(most) << 40 | BELOW_SIZE, reach = clamped(size);
    int64_t left = guess(kind, start, stop), right = left, step = NEAR;
    for (; left > start && slab[left - 1] >= low; step *= 4) {
        right = left;
        left = larger(start, left - step);
    }
    for (; right < stop && slab[right] < low; step *= 4) {
        left = right;
        right = smaller(stop, right + step);
    }
    for (int64_t at = least_at(slab, left, right, low); at < stop && slab[at] <= high; at++) {
        met[count] = slab[at];
        count += (slab[at] >> 32 & BYTE) >= reach;
    }
    return count;
}

/* Whether entries for a second token begin as those for one of some tokens do. */
INLINE bool is_among(uint64_t kind, const int32_t *tokens, int64_t count)
{
    for (int64_t at = 0; at < count; at++)
        if (second_of(tokens[at]) == kind) return true;
    return false;
}

/* Collect the entries that a list has for a row with its token at a place. */
INLINE int64_t meet(int64_t row, int64_t place, uint64_t behind, int64_t prefix, const int32_t *list, const Rows *rows,
                    const Lists *lists, const Room *room, int64_t count)
{
    const uint64_t *slab = lists->slab;
    const int32_t *tokens = rows->tokens + rows->offsets[row];
    int64_t size = size_of(row, rows), start = start_of(list), stop = start + list[LENGTH], is_sorted = list[SORTED];
    Asker asker = {row, size, place, folded(behind), size - prefix + 1, reach_of(size, place, rows),
                   rows->denominator + rows->numerator, rows->denominator - rows->numerator};
    if (smaller(asker.most, WIDEST) < WIDEST - list[SHORTEST] || list[FARTHEST] < smaller(size, WIDEST))
        return count; /* all are too large for it, or it is for them */
    if (is_sorted == UNSPLIT) return scan(&asker, start, stop, slab, room, count);
    int64_t last = smaller(prefix, size - 1);
    uint64_t kinds = 0;
    for (int64_t second = place + 1; second <= last; second++)
        kinds |= UINT64_C(1) << (second_of(tokens[second]) >> 48 & 63);
    if ((last - place) * SEARCH > is_sorted) return scan_mixed(&asker, kinds, start, stop, slab, room, count);
    int64_t for_one = start + list[FOR_ALL], tail = start + is_sorted;
    int64_t low = least_at(slab, start, for_one, clamped(asker.least) << 55);
    int64_t high = least_at(slab, low, for_one, (clamped(asker.most) + 1) << 55);
    count = scan(&asker, low, high, slab, room, count);
    uint64_t asked = 0;
    for (int64_t second = place + 1; second <= last; second++) {
        uint64_t kind = second_of(tokens[second]), bit = UINT64_C(1) << (kind >> 48 & 63);
        if (asked & bit && is_among(kind, tokens + place + 1, second - place - 1))
            continue; /* the other reaches farther; `met` has room for each entry once */
        asked |= bit;
        count = run(kind, asker.least, reach_of(size, second - 1, rows), size, for_one, tail, slab, room->met, count);
    }
    return scan_mixed(&asker, kinds, tail, stop, slab, room, count);
}

/* Leave only those of the entries met whose rows' bitmaps allow that they are similar; return how many. */
INLINE int64_t plausible(int64_t row, int64_t count, const Rows *rows, uint64_t *met)
{
    const uint64_t *mine = rows->signatures + 2 * row;
    int64_t size = size_of(row, rows), kept = 0;
    for (int64_t index = 0; index < count; index++) {
        uint64_t entry = met[index];
        const uint64_t *theirs = rows->signatures + 2 * (entry & ROW);
        int64_t length = (int64_t)(entry >> (entry >> 63 ? 40 : 55) & BYTE);
        if (length == WIDEST) length = size_of((int64_t)(entry & ROW), rows);
        int64_t differing = ONES(mine[0] ^ theirs[0]) + ONES(mine[1] ^ theirs[1]);
        met[kept] = entry;
        /* Of two similar rows no more tokens than these are in one only. */
        kept += differing * (rows->denominator + rows->numerator)
                <= (size + length) * (rows->denominator - rows->numerator);
    }
    return kept;
}

/* Ask for the entries that a row is about to look at, and for what is known of the lists of the row after it. */
INLINE void ask_ahead(int64_t row, const Places *places, const Rows *rows, const Lists *lists)
{
    const int64_t *starts = places->starts + (row - places->first);
    const int32_t *tokens = rows->tokens + rows->offsets[row];
    for (int64_t index = starts[1]; index < starts[2]; index++) PREFETCH(lists->table[places->lists[index]]);
    int64_t prefix = starts[1] - starts[0], last = smaller(prefix, size_of(row, rows) - 1);
    for (int64_t place = 0; place < prefix; place++) {
        const int32_t *list = lists->table[places->lists[starts[0] + place]];
        int64_t start = start_of(list), is_sorted = list[SORTED], stop = start + list[LENGTH], tail = start;
        if ((last - place) * SEARCH <= is_sorted) {
            int64_t for_one = start + list[FOR_ALL];
            tail = start + is_sorted;
            for (int64_t second = place + 1; second <= last; second++)
                PREFETCH(lists->slab + guess(second_of(tokens[second]), for_one, tail));
            for (int64_t at = start; at < smaller(for_one, start + AHEAD); at += LINE) PREFETCH(lists->slab + at);
        }
        for (int64_t at = tail; at < smaller(stop, tail + AHEAD); at += LINE) PREFETCH(lists->slab + at);
    }
}

/* Verify the rows of entries; return how many hits there are then, of which those that have room are kept. */
INLINE int64_t verify_all(int64_t row, int64_t count, const Places *places, const Rows *rows, const Room *room,
                          int32_t stamp, int64_t hits)
{
    int64_t size = size_of(row, rows);
    for (int64_t index = 0; index < count; index++) {
        int64_t other = (int64_t)(room->met[index] & ROW);
        PREFETCH(rows->tokens + rows->offsets[other]);
        PREFETCH(room->seen + other);
    }
    for (int64_t index = 0; index < count; index++) {
        int64_t other = (int64_t)(room->met[index] & ROW);
        if (room->seen[other] == stamp || !rows->alive[other]) continue;
        room->seen[other] = stamp;
        room->counted[1]++;
        int64_t length = size_of(other, rows);
        int64_t needed = ceil_ratio(rows->numerator, size + length, rows->numerator + rows->denominator);
        int64_t shared = verify(row, other, needed, rows);
        if (shared < needed) continue;
        if (hits < room->finds) {
            int32_t *found = room->found[hits];
            found[RECORD] = (int32_t)(row - places->first);
            found[FOUND] = (int32_t)other;
            found[SHARED] = (int32_t)shared;
            found[UNION] = (int32_t)(size + length - shared);
        }
        hits++;
    }
    return hits;
}

MANY_AT_ONCE
Probed find_similar(int64_t start, int64_t stop, const Places *places, const Rows *rows, const Lists *lists,
                    const Room *room, int64_t stamp)
{
    int64_t hits = 0;
    for (int64_t row = start; row < stop; row++) {
        const int64_t *starts = places->starts + (row - places->first);
        const int32_t *tokens = rows->tokens + rows->offsets[row], *numbers = places->lists + starts[0];
        int64_t prefix = starts[1] - starts[0], total = 0, count = 0, before = hits;
        if (row + 2 < stop) ask_ahead(row + 1, places, rows, lists);
        for (int64_t place = 0; place < prefix; place++) total += lists->table[numbers[place]][LENGTH];
        if (total > room->meets) return (Probed){row, hits, total, 0};
        uint64_t behind = rows->signatures[2 * row] ^ rows->signatures[2 * row + 1];
        for (int64_t place = 0; place < prefix; place++) {
            const int32_t *list = lists->table[numbers[place]];
            int64_t met_before = count;
            behind ^= bit_of(tokens[place]);
            if (!list[LENGTH]) continue;
            count = meet(row, place, behind, prefix, list, rows, lists, room, count);
            for (int64_t index = met_before; index < count; index++) /* for `plausible` */
                PREFETCH(rows->signatures + 2 * (room->met[index] & ROW));
        }
        room->counted[0] += count;
        count = plausible(row, count, rows, room->met);
        hits = verify_all(row, count, places, rows, room, (int32_t)(stamp + row), hits);
        if (hits > room->finds) return (Probed){row, before, 0, hits - before};
    }
    return (Probed){stop, hits, 0, 0};
}
