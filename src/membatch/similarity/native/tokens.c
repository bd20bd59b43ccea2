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

/* Read a character of a valid text in UTF-8, and go on behind it. */
INLINE uint32_t next_character(const uint8_t **place)
{
    const uint8_t *at = *place;
    uint32_t first = at[0];
    if (first < 0x80) {
        *place = at + 1;
        return first;
    }
    if (first < 0xE0) {
        *place = at + 2;
        return (first & 0x1F) << 6 | (at[1] & 0x3F);
    }
    if (first < 0xF0) {
        *place = at + 3;
        return (first & 0x0F) << 12 | (uint32_t)(at[1] & 0x3F) << 6 | (at[2] & 0x3F);
    }
    *place = at + 4;
    return (first & 0x07) << 18 | (uint32_t)(at[1] & 0x3F) << 12 | (uint32_t)(at[2] & 0x3F) << 6 | (at[3] & 0x3F);
}

INLINE uint64_t symbol_hash(uint32_t character) { return mixed(character ^ UINT64_C(1) << 40) & ~UINT64_C(1); }

INLINE uint64_t lone_hash(uint32_t character) { return mixed(character ^ UINT64_C(1) << 41) & ~UINT64_C(1); }

INLINE uint64_t pair_hash(uint32_t left, uint32_t right)
{
    return mixed(((uint64_t)left << 21 | right) ^ UINT64_C(1) << 42) & ~UINT64_C(1);
}

/* Write the token hashes of one text, unsorted; return how many. */
INLINE int64_t hash_text(Text text, const uint8_t *classes, uint64_t *hashes)
{
    const uint8_t *place = text.start, *stop = text.start + text.size;
    uint64_t value = FNV_BASIS, has_digit = 0; /* of the word that goes on */
    uint32_t last = 0;                         /* character of the unspaced run that goes on */
    int64_t at = 0, run = 0;                   /* how long that is */
    bool is_word = false;
    while (place < stop) {
        uint32_t character = next_character(&place);
        uint8_t kind = classes[character];
        if (kind == WORD) {
            has_digit |= '0' <= character && character <= '9';
            value = (value ^ character) * FNV_PRIME;
            is_word = true;
        } else if (is_word) {
            hashes[at++] = (mixed(value) & ~UINT64_C(1)) | has_digit;
            value = FNV_BASIS, has_digit = 0, is_word = false;
        }
        if (kind == UNSPACED) {
            if (run++) hashes[at++] = pair_hash(last, character);
            last = character;
        } else if (run) {
            if (run == 1) hashes[at++] = lone_hash(last);
            run = 0;
        }
        if (kind == SYMBOL) hashes[at++] = symbol_hash(character);
    }
    if (is_word) hashes[at++] = (mixed(value) & ~UINT64_C(1)) | has_digit;
    if (run == 1) hashes[at++] = lone_hash(last);
    return at;
}

MANY_AT_ONCE
void hash_tokens(const Text *texts, int64_t count, const uint8_t *classes, uint64_t *hashes, int64_t *ends)
{
    int64_t at = 0;
    for (int64_t text = 0; text < count; text++) {
        uint64_t *mine = hashes + at;
        int64_t tokens = hash_text(texts[text], classes, mine);
        if (tokens > 1) {
            if (tokens <= SHORT) sort_short(mine, tokens);
            else qsort(mine, (size_t)tokens, sizeof *mine, rising);
            int64_t kept = 0;
            for (int64_t number = 1; number < tokens; number++)
                if (mine[number] != mine[kept] && mine[number] != 0) mine[++kept] = mine[number];
            tokens = kept + 1;
        }
        ends[text] = at += tokens;
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
