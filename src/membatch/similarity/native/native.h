/* Integers, bits and hashes that all loops share, and how they are compiled.
 *
 * Rule: flat arrays only; nothing here knows of records or settings. Whoever calls holds the arrays meanwhile, and has
 * made them as long as the loop's comment says.
 *
 * A row is a text's token numbers, sorted with the rarest (highest) number first.
 */
#ifndef MEMBATCH_NATIVE_H
#define MEMBATCH_NATIVE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
/* Ask for what is about to be read, without waiting for it: a look at memory that no cache holds takes as long as a
 * hundred entries of a list; these are waited for together. */
#define PREFETCH(address) __builtin_prefetch(address)
#define ONES(value) __builtin_popcountll(value)
#else
#define INLINE static inline
#define PREFETCH(address) ((void)(address))
INLINE int ones(uint64_t value)
{
    int count = 0;
    for (; value; value &= value - 1) count++;
    return count;
}
#define ONES(value) ones(value)
#endif

/* Loops over many values are compiled for the processors that can do most at once too; the loader of glibc picks one. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) && __GNUC__ >= 12
#define MANY_AT_ONCE __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define MANY_AT_ONCE
#endif

enum { FREQUENT = 64 }; /* tokens that have a bit of their own in each row's signature */

#define MIX UINT64_C(0x9E3779B97F4A7C15)

INLINE int64_t smaller(int64_t one, int64_t other) { return one < other ? one : other; }
INLINE int64_t larger(int64_t one, int64_t other) { return one > other ? one : other; }

INLINE uint64_t mixed(uint64_t value)
{
    value ^= value >> 33;
    value *= UINT64_C(0xFF51AFD7ED558CCD);
    value ^= value >> 33;
    value *= UINT64_C(0xC4CEB9FE1A85EC53);
    return value ^ (value >> 33);
}

INLINE int64_t ceil_ratio(int64_t numerator, int64_t amount, int64_t denominator)
{
    return (numerator * amount + denominator - 1) / denominator;
}

/* The bit of a token in the bitmaps of rows: frequent ones have one each of the first, others share. */
INLINE uint64_t bit_of(int32_t token)
{
    return UINT64_C(1) << (token < FREQUENT ? (uint64_t)token : ((uint64_t)token * MIX) >> 58);
}

#endif
