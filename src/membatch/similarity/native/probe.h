/* The loop that probes the postings of a join with rows, and verifies what it meets.
 *
 * Rule: exact. Prefix, length, position and bitmap filters only leave out what cannot reach the threshold, which is a
 * ratio of two integers; no comparison uses a float. Filters: Xiao et al., PPJoin (WWW 2008); two tokens in common after
 * Wang, Li and Feng (SIGMOD 2012); the comparison by Mann, Augsten and Bouros (VLDB 2016); bitmaps after Sandes, Teodoro
 * and Melo (ICDE 2020). */
#ifndef MEMBATCH_PROBE_H
#define MEMBATCH_PROBE_H

#include "postings.h"

/* What `found` holds of a hit, in its columns. */
enum { RECORD, FOUND, SHARED, UNION, FOUND_WIDTH };

/* What a join works in when it looks for hits, and where it puts them. */
typedef struct {
    int32_t *seen;  /* a stamp for each row that was met */
    uint64_t *met;  /* entries */
    int64_t meets;  /* for how many there is room */
    uint8_t *fits;  /* as long: which of a list's entries fit */
    int32_t (*found)[FOUND_WIDTH]; /* record, row, shared, union */
    int64_t finds;    /* for how many there is room */
    int64_t *counted; /* rows met, pairs verified */
} Room;

/* Where a look for similar rows ended. */
typedef struct {
    int64_t row;   /* to go on with */
    int64_t hits;  /* found so far */
    int64_t meets; /* how many entries this row can meet, where there is too little room for them; else 0 */
    int64_t finds; /* how many hits it has, where there is too little room for them; else 0 */
} Probed;

/* Find, for each wanted row of start..stop, all earlier live rows at or above the threshold.
 *
 * Rows from `places->first` on are the batch's; `stamp` + row was never written to `room->seen` before. */
Probed find_similar(int64_t start, int64_t stop, const Places *places, const Rows *rows, const Lists *lists,
                    const Room *room, int64_t stamp);

#endif
