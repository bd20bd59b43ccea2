/* Loops that enter all founders of a store at once, each list of postings as long as it must be.
 *
 * Rule: what they leave is what entering row after row would leave, but for the order of the tokens and slack. */
#include "postings.h"

int64_t count_entries(int64_t first, int64_t stop, const Rows *rows, const Lists *lists)
{
    int64_t *state = lists->state;
    for (int64_t row = first; row < stop; row++) {
        int64_t size = size_of(row, rows), prefix = prefix_of(size, rows);
        if (state[LISTS] + prefix > lists->room || 2 * (state[LISTS] + prefix) > lists->slots) return row;
        const int32_t *tokens = rows->tokens + rows->offsets[row];
        for (int64_t place = 0; place < prefix; place++) {
            uint64_t key = key_of(rows->scopes[row], tokens[place]);
            int64_t slot = slot_of(key, lists->keys, lists->slots);
            if (lists->keys[slot] == 0) {
                lists->keys[slot] = key;
                lists->numbers[slot] = (int32_t)state[LISTS]++;
            }
            int32_t *list = lists->table[lists->numbers[slot]];
            note_bounds(list, size, place, rows);
            list[LENGTH]++;
            list[CAPACITY] += (int32_t)larger(1, seconds_of(size, place, prefix));
        }
    }
    return stop;
}

void fill_lists(int64_t first, int64_t stop, const Rows *rows, const Lists *lists, const uint8_t *is_split,
                const int64_t *reaches, int64_t *ends)
{
    for (int64_t row = first; row < stop; row++) {
        const int32_t *tokens = rows->tokens + rows->offsets[row];
        int64_t size = size_of(row, rows), prefix = prefix_of(size, rows);
        uint64_t behind = rows->signatures[2 * row] ^ rows->signatures[2 * row + 1];
        uint64_t for_all = clamped(size) << 55 | (uint64_t)row, for_one = clamped(size) << 40 | (uint64_t)row;
        for (int64_t place = 0; place < prefix; place++) {
            int32_t number = lists->numbers[slot_of(key_of(rows->scopes[row], tokens[place]), lists->keys, lists->slots)];
            int64_t count = is_split[number] ? seconds_of(size, place, prefix) : 0;
            uint64_t *entries = lists->slab + ends[number];
            behind ^= bit_of(tokens[place]);
            if (count == 0)
                entries[0] = for_all | (uint64_t)smaller(place, LAST_PLACE) << 50 | folded(behind) << 28;
            for (int64_t second = place + 1; second < place + 1 + count; second++) {
                uint64_t reach = clamped(reaches[size - second + 1] - size) << 32;
                entries[second - place - 1] = second_of(tokens[second]) | for_one | reach;
            }
            ends[number] += larger(1, count);
        }
    }
}
