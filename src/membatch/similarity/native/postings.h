/* The postings of a join: for each (scope, token) the rows that have it in their prefix.
 *
 * Rule: an entry is left out only where no pair at or above the threshold needs it; whoever probes does the same.
 *
 * A pair at or above the threshold has its first common token, rarest first, in the prefix of both rows, and its second
 * one at most one place behind it. So a long list is *split*: a row has an entry for each token that could be the
 * second common one, sorted by that token; a row with too many of these has one entry for all, as each has in a list
 * that is not split. *Reach* is how many tokens a row may have to be similar, if this token is the first (and the other
 * the second) that both have. What an entry holds, from the top:
 *
 *     for all seconds   0    8 bits of size, 5 of the token's place, 22 of a bitmap   28 of row
 *     for one second    1    15 bits of its hash, 8 of size, 8 of reach, 4 free       28 of row
 *
 * Sizes and reaches from 255 on count as 255, places from 31 on as 31. The bitmap is of the tokens behind this one. If
 * this is the first that two rows have in common, those before it are in one of them only, and each bit by which the
 * bitmaps differ is one more. */
#ifndef MEMBATCH_POSTINGS_H
#define MEMBATCH_POSTINGS_H

#include "native.h"

#define MOST_ROWS (1 << 28)
#define ROW ((uint64_t)MOST_ROWS - 1)
#define FOLDED ((UINT64_C(1) << 22) - 1)

enum {
    WIDEST = 255,
    LONG = 256,       /* as long a list is looked through at once about as fast as it is searched */
    MOST_SECONDS = 3, /* entries of one row in one list */
    /* A split list may have so many unsorted entries, and one for each 16 sorted ones up to the second number. */
    TAIL = 128,
    MOST_TAIL = 1024,
    UNSPLIT = -1,
    LAST_PLACE = 31
};

/* The columns of `table`, and the numbers of `state`. */
enum { START, LENGTH, CAPACITY, SORTED, FOR_ALL, SHORTEST, FARTHEST, TABLE_WIDTH };
enum { LISTS, END, PLACE, ROOM, GROWN, STATES };

/* The rows of a join. */
typedef struct {
    const int32_t *tokens;      /* highest and so rarest first in each row */
    const int64_t *offsets;     /* one more */
    const int32_t *scopes;
    const uint64_t *signatures; /* (n, 2): see `sign_rows` */
    const uint8_t *alive;
    int64_t numerator; /* of the threshold */
    int64_t denominator;
} Rows;

/* The postings: a table from (scope, token) to the number of a list, and where its entries are. */
typedef struct {
    uint64_t *keys; /* 0 where a slot is free */
    int64_t slots;  /* a power of two */
    int32_t *numbers;
    /* (n, 7): start in pairs of entries, length, capacity, how many are sorted (UNSPLIT where it is not split), how
     * many of these are for all seconds, what the least size lacks to WIDEST, the longest reach */
    int32_t (*table)[TABLE_WIDTH];
    int64_t room;   /* how many lists the table can hold */
    uint64_t *slab; /* the entries */
    int64_t size;   /* of the slab */
    int64_t *free;  /* (64) by size, the first of the places that lists have left; each leads to the next */
    int64_t *state; /* how many lists, the end of the slab, where to go on, what room is missing, how many have grown */
} Lists;

/* For each row from `first` on the numbers of its lists, one for each prefix token; none where it is not wanted. */
typedef struct {
    int64_t first;
    int64_t *starts; /* one more than rows */
    int32_t *lists;
} Places;

INLINE uint64_t key_of(int32_t scope, int32_t token)
{
    return mixed((uint64_t)(int64_t)scope << 32 | (uint64_t)(int64_t)token) | 1;
}

INLINE int64_t home_of(uint64_t key, int64_t slots) { return (int64_t)((key * MIX) >> 32) & (slots - 1); }

/* The slot of a key, or the free one where it would be written. */
INLINE int64_t slot_of(uint64_t key, const uint64_t *keys, int64_t slots)
{
    int64_t slot = home_of(key, slots);
    while (keys[slot] != key && keys[slot] != 0) slot = (slot + 1) & (slots - 1);
    return slot;
}

/* How many tokens of a row are its prefix. */
INLINE int64_t prefix_of(int64_t size, const Rows *rows)
{
    return size ? size - ceil_ratio(rows->numerator, size, rows->denominator) + 1 : 0;
}

/* How many tokens a row may have to be similar to one of `size` tokens, some of which it lacks. */
INLINE int64_t reach_of(int64_t size, int64_t lacking, const Rows *rows)
{
    return (size - lacking) * (rows->numerator + rows->denominator) / rows->numerator - size;
}

/* A bitmap of 22 bits from one of 64: a token that only one of two rows has changes one bit at most. */
INLINE uint64_t folded(uint64_t bits) { return (bits ^ (bits >> 22) ^ (bits >> 44)) & FOLDED; }

/* What entries for a second token have at their top. */
INLINE uint64_t second_of(int32_t token) { return ((uint64_t)token * MIX) >> 49 << 48 | UINT64_C(1) << 63; }

/* A size or a reach as entries have it. */
INLINE uint64_t clamped(int64_t amount) { return (uint64_t)smaller(amount, WIDEST); }

/* Where the entries of a list begin. */
INLINE int64_t start_of(const int32_t *list) { return (int64_t)(uint32_t)list[START] << 1; }

/* How many entries for one second a row has in a split list, 0 where it has one for all. */
INLINE int64_t seconds_of(int64_t size, int64_t place, int64_t prefix)
{
    return prefix == size || prefix - place > MOST_SECONDS ? 0 : prefix - place;
}

/* Note how small and how far reaching the rows of a list are. */
INLINE void note_bounds(int32_t *list, int64_t size, int64_t place, const Rows *rows)
{
    list[SHORTEST] = (int32_t)larger(list[SHORTEST], WIDEST - smaller(size, WIDEST));
    list[FARTHEST] = (int32_t)larger(list[FARTHEST], smaller(reach_of(size, place, rows), WIDEST));
}

INLINE int64_t size_of(int64_t row, const Rows *rows) { return rows->offsets[row + 1] - rows->offsets[row]; }

/* Write the lists of the prefix tokens of those rows that are wanted; those that are not there begin empty. */
void place_rows(const uint8_t *wanted, int64_t count, const Rows *rows, const Lists *lists, const Places *places);

/* Enter the live ones of rows first..stop into their lists.
 *
 * Returns the row to go on with when room has run out; `state` says with which token, and what is missing. `grown` gets
 * the lists that are so long that they want to be split or sorted, each with its token, some repeatedly: it has room for
 * as many as `places->lists`. */
int64_t insert_rows(int64_t first, int64_t stop, const Places *places, const Rows *rows, const Lists *lists,
                    int32_t (*grown)[2]);

/* Take rows out again that were entered last, and whose lists were not sorted since: their entries end them. */
void take_out_rows(int64_t first, int64_t stop, const Places *places, const Rows *rows, int32_t (*table)[TABLE_WIDTH]);

/* Split those of some lists, `of` tokens, that are not, from the `at`th on; return where room ran out.
 *
 * `old` has room for the longest. What was split is to be sorted, and goes through `merge_tails` before it is probed. */
int64_t split_lists(int64_t at, const int32_t *which, int64_t count, const int32_t *of, const Rows *rows,
                    const Lists *lists, uint64_t *old);

/* Note how many of the sorted entries of some lists are for all seconds. */
void count_all(const int64_t *which, int64_t count, int32_t (*table)[TABLE_WIDTH], const uint64_t *slab);

/* Merge into what is sorted of some lists what follows it and is sorted by itself; `tail` has room for it. */
void merge_tails(const int32_t *which, int64_t count, int32_t (*table)[TABLE_WIDTH], uint64_t *slab, uint64_t *tail);

/* Take what is no longer alive out of the postings that hold some rows. */
void purge_rows(const int64_t *which, int64_t count, const Rows *rows, const Lists *lists, uint8_t *is_clean);

/* Count the entries of each list: in LENGTH if it is not split, in CAPACITY if it is; return the row to go on with.
 *
 * New lists are numbered, until there is no room in the tables. */
int64_t count_entries(int64_t first, int64_t stop, const Rows *rows, const Lists *lists);

/* Enter rows first..stop with the entries that `insert_rows` writes, and nothing computed twice.
 *
 * `ends` are where in each list the first one goes, and in the end where their entries end. `reaches` has, for how many
 * tokens two rows may have in common, how many they may have together. */
void fill_lists(int64_t first, int64_t stop, const Rows *rows, const Lists *lists, const uint8_t *is_split,
                const int64_t *reaches, int64_t *ends);

#endif
