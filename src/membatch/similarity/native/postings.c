/* Loops that keep postings, row after row. */
#include "postings.h"

/* Note how many of the sorted entries are for all seconds: they come first. */
static void count_for_all(int32_t *list, const uint64_t *slab)
{
    int64_t start = start_of(list), at = start;
    while (at < start + list[SORTED] && !(slab[at] >> 63)) at++;
    list[FOR_ALL] = (int32_t)(at - start);
}

/* How long a list may become before it is split, or sorted anew. */
INLINE int64_t bound_of(int64_t is_sorted)
{
    return is_sorted != UNSPLIT ? is_sorted + TAIL + smaller(is_sorted >> 4, MOST_TAIL) + 1 : LONG;
}

void place_rows(const uint8_t *wanted, int64_t count, const Rows *rows, const Lists *lists, const Places *places)
{
    int64_t at = 0;
    for (int64_t index = 0; index < count; index++) {
        places->starts[index] = at;
        if (!wanted[index]) continue;
        int64_t row = places->first + index;
        if (index + 1 < count) { /* what the next row will ask for: with many scopes no cache holds it */
            const int32_t *next = rows->tokens + rows->offsets[row + 1];
            int64_t prefix = prefix_of(size_of(row + 1, rows), rows);
            for (int64_t place = 0; place < prefix; place++) {
                int64_t slot = home_of(key_of(rows->scopes[row + 1], next[place]), lists->slots);
                PREFETCH(lists->keys + slot);
                PREFETCH(lists->numbers + slot);
            }
        }
        const int32_t *tokens = rows->tokens + rows->offsets[row];
        int64_t prefix = prefix_of(size_of(row, rows), rows);
        for (int64_t place = 0; place < prefix; place++) {
            uint64_t key = key_of(rows->scopes[row], tokens[place]);
            int64_t slot = slot_of(key, lists->keys, lists->slots);
            if (lists->keys[slot] == 0) {
                int32_t new = (int32_t)lists->state[LISTS]++;
                lists->keys[slot] = key;
                lists->numbers[slot] = new;
                lists->table[new][SORTED] = UNSPLIT;
            }
            places->lists[at++] = lists->numbers[slot];
        }
    }
    places->starts[count] = at;
}

/* Give a list room for so many entries; return whether there was any. */
static bool make_room(int32_t *list, int64_t wanted, const Lists *lists)
{
    uint64_t *slab = lists->slab;
    int64_t capacity = list[CAPACITY], size = 2, power = 1, new;
    if (wanted <= capacity) return true;
    while (size < wanted) size *= 2, power++;
    if (lists->free[power] >= 0) {
        new = lists->free[power];
        lists->free[power] = (int64_t)slab[new] - 1;
    } else if (lists->state[END] + size <= lists->size) {
        new = lists->state[END];
        lists->state[END] += size;
    } else {
        lists->state[ROOM] = size;
        return false;
    }
    int64_t old = start_of(list);
    memcpy(slab + new, slab + old, (size_t)list[LENGTH] * sizeof *slab);
    if (capacity) {
        for (power = 1; INT64_C(2) << power <= capacity;) power++; /* what is loaded at once has any capacity */
        slab[old] = (uint64_t)(lists->free[power] + 1);
        lists->free[power] = old;
    }
    list[START] = (int32_t)(uint32_t)(new >> 1);
    list[CAPACITY] = (int32_t)size;
    return true;
}

/* Write so many entries of a row, each for one second; return where they end. */
INLINE int64_t enter_seconds(int64_t at, int64_t row, int64_t size, int64_t place, int64_t count, const Rows *rows,
                             uint64_t *slab)
{
    const int32_t *tokens = rows->tokens + rows->offsets[row];
    for (int64_t second = place + 1; second < place + 1 + count; second++) {
        uint64_t bounds = clamped(size) << 40 | clamped(reach_of(size, second - 1, rows)) << 32;
        slab[at++] = second_of(tokens[second]) | bounds | (uint64_t)row;
    }
    return at;
}

/* Write so many entries of a row under its token at a place: for one second each, or for all if that is 0. */
INLINE void enter(int64_t at, int64_t row, int64_t place, int64_t count, const Rows *rows, uint64_t *slab)
{
    int64_t size = size_of(row, rows);
    if (count) {
        enter_seconds(at, row, size, place, count, rows, slab);
        return;
    }
    const int32_t *tokens = rows->tokens + rows->offsets[row];
    uint64_t behind = rows->signatures[2 * row] ^ rows->signatures[2 * row + 1];
    for (int64_t before = 0; before <= place; before++) behind ^= bit_of(tokens[before]);
    uint64_t bounds = clamped(size) << 55 | (uint64_t)smaller(place, LAST_PLACE) << 50;
    slab[at] = bounds | folded(behind) << 28 | (uint64_t)row;
}

int64_t insert_rows(int64_t first, int64_t stop, const Places *places, const Rows *rows, const Lists *lists,
                    int32_t (*grown)[2])
{
    int64_t *state = lists->state;
    for (int64_t row = first; row < stop; row++) {
        const int64_t *starts = places->starts + (row - places->first);
        if (row + 2 < stop) {
            for (int64_t ahead = starts[1]; ahead < starts[2]; ahead++) {
                const int32_t *list = lists->table[places->lists[ahead]];
                PREFETCH(lists->slab + start_of(list) + list[LENGTH]);
            }
            for (int64_t ahead = starts[2]; ahead < starts[3]; ahead++) PREFETCH(lists->table[places->lists[ahead]]);
        }
        if (rows->alive[row]) {
            int64_t size = size_of(row, rows), prefix = prefix_of(size, rows);
            for (int64_t place = state[PLACE]; place < prefix; place++) {
                int32_t number = places->lists[starts[0] + place], *list = lists->table[number];
                int64_t length = list[LENGTH], is_sorted = list[SORTED];
                int64_t seconds = is_sorted >= 0 ? seconds_of(size, place, prefix) : 0;
                int64_t after = length + larger(1, seconds);
                if (!make_room(list, after, lists)) {
                    state[PLACE] = place;
                    return row;
                }
                enter(start_of(list) + length, row, place, seconds, rows, lists->slab);
                note_bounds(list, size, place, rows);
                list[LENGTH] = (int32_t)after;
                if (after >= bound_of(is_sorted)) {
                    grown[state[GROWN]][0] = number;
                    grown[state[GROWN]][1] = rows->tokens[rows->offsets[row] + place];
                    state[GROWN]++;
                }
            }
        }
        state[PLACE] = 0;
    }
    return stop;
}

void take_out_rows(int64_t first, int64_t stop, const Places *places, const Rows *rows, int32_t (*table)[TABLE_WIDTH])
{
    for (int64_t row = first; row < stop; row++) {
        if (!rows->alive[row]) continue;
        int64_t size = size_of(row, rows), prefix = prefix_of(size, rows);
        for (int64_t place = 0; place < prefix; place++) {
            int32_t *list = table[places->lists[places->starts[row - places->first] + place]];
            list[LENGTH] -= list[SORTED] >= 0 ? (int32_t)larger(1, seconds_of(size, place, prefix)) : 1;
        }
    }
}

/* What an entry for all seconds says: its row, the size of that, and the place of the token, which it has, in it. */
typedef struct {
    int64_t row, size, place;
} Read;

INLINE Read read_entry(uint64_t entry, int32_t token, const Rows *rows)
{
    Read read = {(int64_t)(entry & ROW), (int64_t)(entry >> 55), (int64_t)(entry >> 50) & 31};
    if (read.size == WIDEST) read.size = size_of(read.row, rows);
    if (read.place == LAST_PLACE)
        while (rows->tokens[rows->offsets[read.row] + read.place] != token) read.place++;
    return read;
}

/* Split the list of a token, not sorted yet; return whether there was room. */
static bool split(int32_t *list, int32_t token, const Rows *rows, const Lists *lists, uint64_t *old)
{
    uint64_t *slab = lists->slab;
    int64_t length = list[LENGTH], total = 0;
    memcpy(old, slab + start_of(list), (size_t)length * sizeof *old);
    for (int64_t at = 0; at < length; at++) {
        Read read = read_entry(old[at], token, rows);
        total += larger(1, seconds_of(read.size, read.place, prefix_of(read.size, rows)));
        PREFETCH(rows->alive + read.row);
        PREFETCH(rows->offsets + read.row);
    }
    if (!make_room(list, total, lists)) return false;
    for (int64_t at = 0; at < length; at++) PREFETCH(rows->tokens + rows->offsets[old[at] & ROW]);
    int64_t start = start_of(list), at = start;
    for (int64_t index = 0; index < length; index++) {
        Read read = read_entry(old[index], token, rows);
        if (!rows->alive[read.row]) continue;
        int64_t seconds = seconds_of(read.size, read.place, prefix_of(read.size, rows));
        if (seconds) at = enter_seconds(at, read.row, read.size, read.place, seconds, rows, slab);
        else slab[at++] = old[index];
    }
    list[LENGTH] = (int32_t)(at - start);
    list[SORTED] = 0;
    return true;
}

int64_t split_lists(int64_t at, const int32_t *which, int64_t count, const int32_t *of, const Rows *rows,
                    const Lists *lists, uint64_t *old)
{
    for (; at < count; at++) {
        int32_t *list = lists->table[which[at]];
        if (list[SORTED] == UNSPLIT && !split(list, of[at], rows, lists, old)) break;
    }
    return at;
}

void count_all(const int64_t *which, int64_t count, int32_t (*table)[TABLE_WIDTH], const uint64_t *slab)
{
    for (int64_t at = 0; at < count; at++) count_for_all(table[which[at]], slab);
}

void merge_tails(const int32_t *which, int64_t count, int32_t (*table)[TABLE_WIDTH], uint64_t *slab, uint64_t *tail)
{
    for (int64_t index = 0; index < count; index++) {
        int32_t *list = table[which[index]];
        uint64_t *entries = slab + start_of(list);
        int64_t length = list[LENGTH], is_sorted = list[SORTED];
        int64_t left = is_sorted - 1, right = length - is_sorted - 1, at = length - 1;
        memcpy(tail, entries + is_sorted, (size_t)(length - is_sorted) * sizeof *tail);
        for (; right >= 0; at--) entries[at] = left >= 0 && entries[left] > tail[right] ? entries[left--] : tail[right--];
        list[SORTED] = (int32_t)length;
        count_for_all(list, slab);
    }
}

void purge_rows(const int64_t *which, int64_t count, const Rows *rows, const Lists *lists, uint8_t *is_clean)
{
    for (int64_t index = 0; index < count; index++) {
        int64_t row = which[index], prefix = prefix_of(size_of(row, rows), rows);
        for (int64_t place = 0; place < prefix; place++) {
            uint64_t key = key_of(rows->scopes[row], rows->tokens[rows->offsets[row] + place]);
            int32_t number = lists->numbers[slot_of(key, lists->keys, lists->slots)], *list = lists->table[number];
            if (is_clean[number]) continue;
            is_clean[number] = 1;
            uint64_t *entries = lists->slab + start_of(list);
            int32_t is_sorted = list[SORTED], kept = 0;
            for (int32_t at = 0; at < list[LENGTH]; at++) {
                if (rows->alive[entries[at] & ROW]) entries[kept++] = entries[at];
                else if (at < is_sorted) list[SORTED]--;
            }
            list[LENGTH] = kept;
            count_for_all(list, lists->slab);
        }
    }
}
