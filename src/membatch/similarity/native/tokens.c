/* Loops over tokens: texts to hashes, hashes to numbers, rows of numbers sorted and signed. */
#include "tokens.h"

#define FNV_BASIS UINT64_C(0xCBF29CE484222325)
#define FNV_PRIME UINT64_C(0x100000001B3)

/* Tokens that are sorted by comparing each with each, and how many of them at a time. */
enum { SHORT = 64, LANES = 16 };

static int rising(const void *one, const void *other)
{
    uint64_t left = *(const uint64_t *)one, right = *(const uint64_t *)other;
    return (left > right) - (left < right);
}

static int falling(const void *one, const void *other)
{
    int32_t left = *(const int32_t *)one, right = *(const int32_t *)other;
    return (left < right) - (left > right);
}

/* Sort some values without a branch: the place of each is how many are smaller.
 * Of equal ones the first stays, and 0 stands for each other. */
INLINE void sort_short(uint64_t *values, int64_t size)
{
    uint64_t scratch[SHORT];
    int64_t ranks[SHORT], padded = (size + LANES - 1) / LANES * LANES;
    for (int64_t at = 0; at < padded; at++) {
        scratch[at] = at < size ? values[at] : UINT64_MAX;
        ranks[at] = 0;
    }
    for (int64_t at = 0; at < size; at++) {
        uint64_t value = scratch[at];
        values[at] = 0;
        for (int64_t other = 0; other < padded; other++) ranks[other] += scratch[other] > value;
    }
    for (int64_t at = 0; at < size; at++) values[ranks[at]] = scratch[at];
}

INLINE bool is_digit(uint32_t character) { return '0' <= character && character <= '9'; }

/* Write the token hashes of one text, unsorted; return how many. */
INLINE int64_t hash_text(const uint32_t *characters, int64_t size, const uint8_t *classes, uint64_t *hashes)
{
    int64_t at = 0, place = 0;
    while (place < size) {
        uint8_t kind = classes[characters[place]];
        if (kind == SEPARATOR) {
            place++;
        } else if (kind == SYMBOL) {
            hashes[at++] = mixed(characters[place++] ^ (UINT64_C(1) << 40)) & ~UINT64_C(1);
        } else if (kind == WORD) {
            uint64_t value = FNV_BASIS, has_digit = 0;
            for (; place < size && classes[characters[place]] == WORD; place++) {
                has_digit |= is_digit(characters[place]);
                value = (value ^ characters[place]) * FNV_PRIME;
            }
            hashes[at++] = (mixed(value) & ~UINT64_C(1)) | has_digit;
        } else {
            int64_t run = place;
            while (place < size && classes[characters[place]] == UNSPACED) place++;
            if (place - run == 1) hashes[at++] = mixed(characters[run] ^ (UINT64_C(1) << 41)) & ~UINT64_C(1);
            for (int64_t left = run; left < place - 1; left++) {
                uint64_t pair = (uint64_t)characters[left] << 21 | characters[left + 1];
                hashes[at++] = mixed(pair ^ (UINT64_C(1) << 42)) & ~UINT64_C(1);
            }
        }
    }
    return at;
}

MANY_AT_ONCE
void hash_tokens(const uint32_t *characters, const int64_t *starts, int64_t texts, const uint8_t *classes,
                 uint64_t *hashes, int64_t *ends)
{
    int64_t at = 0;
    for (int64_t text = 0; text < texts; text++) {
        uint64_t *mine = hashes + at;
        int64_t count = hash_text(characters + starts[text], starts[text + 1] - starts[text], classes, mine);
        if (count > 1) {
            if (count <= SHORT) sort_short(mine, count);
            else qsort(mine, (size_t)count, sizeof *mine, rising);
            int64_t kept = 0;
            for (int64_t number = 1; number < count; number++)
                if (mine[number] != mine[kept] && mine[number] != 0) mine[++kept] = mine[number];
            count = kept + 1;
        }
        ends[text] = at += count;
    }
}

int64_t number_tokens(const uint64_t *hashes, int64_t size, int64_t start, uint64_t *keys, int64_t slots,
                      int32_t *numbers, int64_t *count, uint8_t *has_digit, int32_t *out)
{
    int64_t mask = slots - 1, ahead = 16;
    for (int64_t at = start; at < size; at++) {
        if (at + ahead < size) PREFETCH(keys + ((int64_t)(((hashes[at + ahead] | 1) * MIX) >> 32) & mask));
        uint64_t key = hashes[at] | 1; /* 0 marks a free slot */
        int64_t slot = (int64_t)((key * MIX) >> 32) & mask;
        while (keys[slot] != key) {
            if (keys[slot] == 0) {
                if (2 * *count >= slots) return at;
                keys[slot] = key;
                numbers[slot] = (int32_t)*count;
                has_digit[*count] = hashes[at] & 1;
                ++*count;
                break;
            }
            slot = (slot + 1) & mask;
        }
        out[at] = numbers[slot];
    }
    return size;
}

void rehash(const uint64_t *old_keys, const int32_t *old_values, int64_t old_slots, uint64_t *keys, int32_t *values,
            int64_t slots)
{
    int64_t mask = slots - 1;
    for (int64_t at = 0; at < old_slots; at++) {
        uint64_t key = old_keys[at];
        if (key == 0) continue;
        int64_t slot = (int64_t)((key * MIX) >> 32) & mask;
        while (keys[slot] != 0) slot = (slot + 1) & mask;
        keys[slot] = key;
        values[slot] = old_values[at];
    }
}

/* Sort a short row: the place of a value is how many are higher; compared without a branch, many at a time.
 * Returns false, having changed nothing, where two are equal. */
INLINE bool sort_short_row(int32_t *values, int64_t size)
{
    int32_t old[SHORT], ranks[SHORT];
    int64_t padded = (size + LANES - 1) / LANES * LANES, total = 0;
    for (int64_t at = 0; at < padded; at++) {
        old[at] = at < size ? values[at] : -1;
        ranks[at] = 0;
    }
    for (int64_t other = 0; other < size; other++) {
        int32_t high = old[other];
        for (int64_t at = 0; at < padded; at++) ranks[at] += old[at] < high;
    }
    for (int64_t at = 0; at < size; at++) total += ranks[at];
    if (2 * total != size * (size - 1)) return false;
    for (int64_t at = 0; at < size; at++) values[ranks[at]] = old[at];
    return true;
}

INLINE void sort_row(int32_t *values, int64_t size)
{
    if (size > SHORT || !sort_short_row(values, size)) qsort(values, (size_t)size, sizeof *values, falling);
}

MANY_AT_ONCE
void sort_rows(int32_t *tokens, const int64_t *ends, int64_t rows, int64_t first)
{
    int64_t start = first;
    for (int64_t row = 0; row < rows; row++) {
        sort_row(tokens + start, ends[row] - start);
        start = ends[row];
    }
}

INLINE void sign_row(const int32_t *tokens, int64_t size, uint64_t *signature)
{
    uint64_t frequent = 0, rest = 0;
    for (int64_t at = 0; at < size; at++) {
        if (tokens[at] < FREQUENT) frequent |= bit_of(tokens[at]);
        else rest ^= bit_of(tokens[at]);
    }
    signature[0] = frequent;
    signature[1] = rest;
}

void sign_rows(int64_t first, int64_t stop, const int32_t *tokens, const int64_t *offsets, uint64_t *signatures)
{
    for (int64_t row = first; row < stop; row++)
        sign_row(tokens + offsets[row], offsets[row + 1] - offsets[row], signatures + 2 * row);
}

MANY_AT_ONCE
void rank_rows(int64_t first, int64_t stop, int32_t *tokens, const int64_t *offsets, const int32_t *rank,
               uint64_t *signatures)
{
    for (int64_t row = first; row < stop; row++) {
        for (int64_t at = offsets[row]; at < offsets[row + 1]; at++) tokens[at] = rank[tokens[at]];
        sort_row(tokens + offsets[row], offsets[row + 1] - offsets[row]);
        sign_row(tokens + offsets[row], offsets[row + 1] - offsets[row], signatures + 2 * row);
    }
}

void count_tokens(const int32_t *tokens, int64_t size, int64_t *frequency)
{
    for (int64_t at = 0; at < size; at++) frequency[tokens[at]]++;
}
