/* Loops over tokens: texts to hashes, hashes to numbers, rows of numbers sorted and signed. */
#ifndef MEMBATCH_TOKENS_H
#define MEMBATCH_TOKENS_H

#include "native.h"

/* Classes of characters, as `similarity.tokens` lays them down. */
enum { SEPARATOR = 0, WORD = 1, SYMBOL = 2, UNSPACED = 3 };

/* A text in UTF-8. */
typedef struct {
    const uint8_t *start;
    int64_t size; /* bytes */
} Text;

/* Write the token hashes of each text, sorted and each once; `ends` gets where each text's hashes end.
 *
 * The lowest bit of a hash says whether the word has a digit; two words are told apart by the other 63. `classes` has
 * the class of each code point; `hashes` has room for one token a byte. */
void hash_tokens(const Text *texts, int64_t count, const uint8_t *classes, uint64_t *hashes, int64_t *ends);

/* Give each token hash from `start` on its number; a new one gets the next number. Slots are a power of two, and
 * `has_digit` has half as many. Returns the place to go on with when the table is half full. */
int64_t number_tokens(const uint64_t *hashes, int64_t size, int64_t start, uint64_t *keys, int64_t slots,
                      int32_t *numbers, int64_t *count, uint8_t *has_digit, int32_t *out);

/* Move a table into a larger one, which is empty. */
void rehash(const uint64_t *old_keys, const int32_t *old_values, int64_t old_slots, uint64_t *keys, int32_t *values,
            int64_t slots);

/* Sort each row's token numbers with the highest, which is the rarest, first. */
void sort_rows(int32_t *tokens, const int64_t *ends, int64_t rows, int64_t first);

/* Write two bitmaps of each row: a bit each for its frequent tokens, and of the rest a hash of 64 bits.
 *
 * The frequent ones are those with a number below FREQUENT, the last of each row. Each other token changes one bit of
 * the second bitmap, so that two rows differ in at least as many tokens as bits. */
void sign_rows(int64_t first, int64_t stop, const int32_t *tokens, const int64_t *offsets, uint64_t *signatures);

/* Give the tokens of rows first..stop their new numbers, sort and sign each row. */
void rank_rows(int64_t first, int64_t stop, int32_t *tokens, const int64_t *offsets, const int32_t *rank,
               uint64_t *signatures);

/* Count how often each token number occurs; `frequency` has as many as there are numbers. */
void count_tokens(const int32_t *tokens, int64_t size, int64_t *frequency);

#endif
