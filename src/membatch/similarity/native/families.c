/* Loops that tell which rows of a join belong to a crowd, and which rows touch one. */
#include "families.h"

void base_keys(const int64_t *which, int64_t count, const TokenRows *rows, int64_t most, uint64_t *keys)
{
    for (int64_t at = 0; at < count; at++) {
        int64_t row = which[at], begin = rows->offsets[row], end = rows->offsets[row + 1], digits = 0;
        uint64_t total = 0;
        for (int64_t place = begin; place < end; place++) {
            int32_t token = rows->tokens[place];
            if (rows->has_digit[token]) digits++;
            else total += mixed((uint64_t)token + 1);
        }
        keys[at] = 0;
        if (begin < end && digits <= most)
            keys[at] = mixed(total ^ (uint64_t)rows->scopes[row] << 8 ^ (uint64_t)digits) | 1;
    }
}

void digits_of(const int64_t *which, int64_t count, const TokenRows *rows, int64_t width, int32_t *digits)
{
    for (int64_t at = 0; at < count; at++) {
        int32_t *mine = digits + at * width;
        for (int64_t place = rows->offsets[which[at]]; place < rows->offsets[which[at] + 1]; place++)
            if (rows->has_digit[rows->tokens[place]]) *mine++ = rows->tokens[place];
    }
}

INLINE uint64_t token_key(int32_t scope, int32_t token) { return mixed((uint64_t)scope << 32 | (uint64_t)token); }

int64_t prefix_keys(const int64_t *which, int64_t count, const TokenRows *rows, int64_t numerator, int64_t denominator,
                    uint64_t *keys, int64_t *holders)
{
    int64_t written = 0;
    for (int64_t at = 0; at < count; at++) {
        int64_t row = which[at], size = rows->offsets[row + 1] - rows->offsets[row];
        int64_t prefix = size ? size - ceil_ratio(numerator, size, denominator) + 1 : 0;
        for (int64_t place = 0; place < prefix; place++) {
            keys[written] = token_key(rows->scopes[row], rows->tokens[rows->offsets[row] + place]);
            holders[written++] = row;
        }
    }
    return written;
}

void token_keys(int32_t scope, const int32_t *tokens, int64_t count, uint64_t *keys)
{
    for (int64_t at = 0; at < count; at++) keys[at] = token_key(scope, tokens[at]);
}

void overlaps(const int64_t *which, const int64_t *crowds, int64_t count, const TokenRows *rows, const int32_t *bases,
              const int64_t *base_offsets, int64_t *shared)
{
    for (int64_t at = 0; at < count; at++) {
        int64_t left = rows->offsets[which[at]], end = rows->offsets[which[at] + 1];
        int64_t right = base_offsets[crowds[at]], stop = base_offsets[crowds[at] + 1], both = 0;
        while (left < end && right < stop) {
            int32_t mine = rows->tokens[left], theirs = bases[right];
            both += mine == theirs;
            left += mine >= theirs;
            right += mine <= theirs;
        }
        shared[at] = both;
    }
}

void flat_digits(int64_t first, int64_t stop, const TokenRows *rows, int64_t *starts, int32_t *digits)
{
    int64_t at = 0;
    for (int64_t row = first; row < stop; row++) {
        starts[row - first] = at;
        for (int64_t place = rows->offsets[row]; place < rows->offsets[row + 1]; place++)
            if (rows->has_digit[rows->tokens[place]]) digits[at++] = rows->tokens[place];
    }
    starts[stop - first] = at;
}
