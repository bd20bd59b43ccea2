/* Loops that tell which rows of a join belong to a crowd, and which rows touch one.
 *
 * Rule: exact; a row and a crowd that are not brought together here share no pair at or above the threshold. */
#ifndef MEMBATCH_FAMILIES_H
#define MEMBATCH_FAMILIES_H

#include "native.h"

/* The rows of a join: where the tokens of each are, its scope, which tokens have a digit. */
typedef struct {
    const int32_t *tokens;
    const int64_t *offsets;
    const int32_t *scopes;
    const uint8_t *has_digit;
} TokenRows;

/* Write, for each row, a hash of its scope, of its words without a digit, and of how many have one.
 *
 * 0 where it has no token, or more than `most` with a digit: such a row belongs to no crowd. */
void base_keys(const int64_t *which, int64_t count, const TokenRows *rows, int64_t most, uint64_t *keys);

/* Write the tokens with a digit of each row, all rows having as many. */
void digits_of(const int64_t *which, int64_t count, const TokenRows *rows, int64_t width, int32_t *digits);

/* Write the keys of the prefix tokens of rows, and the row of each; return how many there are. */
int64_t prefix_keys(const int64_t *which, int64_t count, const TokenRows *rows, int64_t numerator, int64_t denominator,
                    uint64_t *keys, int64_t *holders);

/* Write the keys of some tokens of a scope. */
void token_keys(int32_t scope, const int32_t *tokens, int64_t count, uint64_t *keys);

/* Write how many tokens each row shares with the base of each crowd. */
void overlaps(const int64_t *which, const int64_t *crowds, int64_t count, const TokenRows *rows, const int32_t *bases,
              const int64_t *base_offsets, int64_t *shared);

/* Write the tokens with a digit of rows first..stop one after the other, and where those of each begin. */
void flat_digits(int64_t first, int64_t stop, const TokenRows *rows, int64_t *starts, int32_t *digits);

#endif
