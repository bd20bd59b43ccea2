/* Loops over crowds: which members a record could be the same as, and how many are refused by which guard.
 *
 * Rule: a pair is refused here only where the guard of `similarity.guards` would refuse it; what is not certain is not
 * refused. Guards are asked in the order of their table, and the first that says "different" is the one that counts.
 * The columns are described in `similarity/columns.py`. */
#ifndef MEMBATCH_CROWDS_H
#define MEMBATCH_CROWDS_H

#include "native.h"

enum {
    UNKNOWN = -1,   /* instead of a row of the table of whos */
    NOBODY = -1,    /* instead of a subject */
    UNDECIDED = -2, /* instead of a guard: look at each */
    ZONE = 256,     /* members */
    EXAMPLES = 5    /* of refusals, for each guard */
};

#define NEVER INT64_MIN
#define FOREVER INT64_MAX
#define DAY INT64_C(86400000000) /* microseconds */

/* Guards as numbers, in the order of their table; a mask has the bit 1 << number of each that is asked. */
enum { NONE, SUBJECT, PARTICIPANTS, WHEN, NUMBERS, OUTCOMES };

typedef struct {
    const int32_t *subjects, *people, *begins;
    const int64_t *since, *until;
} Whos;

typedef struct {
    int64_t count, width; /* members, and tokens with a digit that each has */
    const int32_t *who;
    const int64_t *time;
    const int32_t *numbers, *contents;
    const uint64_t *hashes;
    const int64_t *memories;
    const int32_t *digits; /* (count, width) */
} Columns;

typedef struct {
    int64_t count, width;
    int32_t *who;
    int64_t (*time)[2];
    int8_t *given;
    int32_t (*numbers)[2], (*contents)[2];
    uint64_t (*hashes)[2];
    int64_t (*memories)[2];
    int32_t (*digits)[2]; /* (count, width) of them */
    uint64_t (*hash_bits)[64], (*number_bits)[64], (*digit_bits)[64];
    uint8_t *is_done;
} Zones;

typedef struct {
    const int64_t *members;
    const int32_t *who;
    const int64_t *time;
    const int32_t *numbers, *contents;
} Changes;

typedef struct {
    const int32_t *who;
    const int64_t *time;
    const int32_t *numbers, *contents;
    const uint64_t *hashes;
    const int64_t *sizes, *starts;
    const int32_t *digits;
} Asked;

typedef struct {
    int64_t mask, numerator, denominator, size, oldest;
} Rule;

typedef struct {
    const uint64_t *hashes;
    int64_t count;
    const int64_t *members;
    int64_t *stamps, *zones;
} Led;

typedef struct {
    int64_t shared, union_, memory;
} Rank;

/* A few examples of what each guard refused, each (record, member, shared, union), and how many there are. */
typedef struct {
    int64_t (*examples)[4]; /* (OUTCOMES, at most EXAMPLES) of them */
    int64_t most;
    int64_t *exampled;
} Kept;

/* Members found that no guard refuses: record, member, shared, union. */
typedef struct {
    int64_t (*pairs)[4];
    int64_t room;
} Pairs;

/* What is asked about with a crowd, and how. `memo` has room for each row of whos, all of it -1. */
typedef struct {
    const Asked *asked;
    const Columns *members;
    const Led *led;
    const Whos *whos;
    int8_t *memo;
    int64_t memos;
    const Rule *rule;
    const Rank *rank;
    const Kept *kept;
} Question;

/* Write what each stretch of members has in common. */
void write_zones(const Columns *members, const Zones *zones);

/* Look over the first `limits` members of a crowd for each of some records, which share tokens with its base.
 *
 * Pairs at or above the threshold that no guard refuses go to `found`; the others are counted: counted[number, tokens
 * with a digit that both have, guard], NONE where the content hash is the same, since such a pair counts elsewhere.
 * Returns the number of the record to go on with when `found` is full; `hits` is the number of pairs found. */
int64_t look_over(int64_t start, const int64_t *records, int64_t count, const int64_t *shared, const int64_t *limits,
                  const Question *question, const Zones *zones, const Pairs *found, int32_t *counted, int64_t *hits);

/* Move what changed members are counted for to the guards that refuse them now; to be refused they had before.
 *
 * counted[tokens with a digit that both have, guard]; `before` is as long. */
void recount(int64_t record, int64_t base, const Changes *changes, int64_t count, const Question *question,
             const Pairs *found, int32_t *counted, int32_t *before);

/* Who, time, numbers and contents of a memory. */
typedef struct {
    int64_t who, time, numbers, contents;
} Facts;

/* Whether a record and a memory were refused, and are no longer once the memory's facts are new ones. */
bool lets_go(const int64_t *records, int64_t count, const Asked *asked, const Facts *old, const Facts *new,
             const Whos *whos, int64_t mask);

#endif
