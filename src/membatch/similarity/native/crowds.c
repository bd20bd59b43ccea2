/* Loops over crowds: which members a record could be the same as, and how many are refused by which guard. */
#include "zones.h"

/* The least and the largest of some values of a kind. */
#define WIDEN(pair, value, is_first)                             \
    do {                                                         \
        if ((is_first) || (value) < (pair)[0]) (pair)[0] = (value); \
        if ((is_first) || (value) > (pair)[1]) (pair)[1] = (value); \
    } while (0)

INLINE void note_value(uint64_t *words, uint64_t value)
{
    Spot spot = spot_of(value);
    words[spot.word] |= spot.bits;
}

void write_zones(const Columns *members, const Zones *zones)
{
    int64_t width = members->width;
    for (int64_t zone = 0; zone < zones->count; zone++) {
        int64_t first = zone * ZONE, stop = smaller(members->count, (zone + 1) * ZONE), given = 0;
        int32_t(*digits)[2] = zones->digits + zone * width;
        zones->who[zone] = members->who[first];
        memset(zones->hash_bits[zone], 0, sizeof zones->hash_bits[zone]);
        memset(zones->number_bits[zone], 0, sizeof zones->number_bits[zone]);
        memset(zones->digit_bits[zone], 0, sizeof zones->digit_bits[zone]);
        for (int64_t member = first; member < stop; member++) {
            bool is_first = member == first;
            if (members->who[member] != zones->who[zone]) zones->who[zone] = UNKNOWN;
            if (members->time[member] != NEVER) {
                WIDEN(zones->time[zone], members->time[member], given == 0);
                given++;
            }
            WIDEN(zones->numbers[zone], members->numbers[member], is_first);
            WIDEN(zones->contents[zone], members->contents[member], is_first);
            WIDEN(zones->hashes[zone], members->hashes[member], is_first);
            WIDEN(zones->memories[zone], members->memories[member], is_first);
            note_value(zones->hash_bits[zone], members->hashes[member]);
            note_value(zones->number_bits[zone], (uint64_t)members->numbers[member]);
            for (int64_t at = 0; at < width; at++) WIDEN(digits[at], members->digits[member * width + at], is_first);
        }
        zones->given[zone] = given == stop - first ? 2 : given ? 1 : 0;
        for (int64_t at = 0; at < width; at++) {
            if (digits[at][0] == digits[at][1]) continue;
            for (int64_t member = first; member < stop; member++)
                note_value(zones->digit_bits[zone], (uint64_t)members->digits[member * width + at]);
        }
    }
}

/* Whether the people of two rows of whos are both given, and disjoint. */
static bool are_others(int64_t one, int64_t other, const Whos *whos)
{
    int64_t left = whos->begins[one], end = whos->begins[one + 1];
    int64_t right = whos->begins[other], stop = whos->begins[other + 1];
    if (left == end || right == stop) return false;
    while (left < end && right < stop) {
        if (whos->people[left] == whos->people[right]) return false;
        if (whos->people[left] < whos->people[right]) left++;
        else right++;
    }
    return true;
}

/* The guard that refuses two rows of whos, WHEN for validity, or NONE. */
static int64_t who_differs(int64_t one, int64_t other, const Whos *whos, int64_t mask)
{
    if (mask & 1 << SUBJECT) {
        int32_t mine = whos->subjects[one], theirs = whos->subjects[other];
        if (mine != NOBODY && theirs != NOBODY && mine != theirs) return SUBJECT;
    }
    if (mask & 1 << PARTICIPANTS && are_others(one, other, whos)) return PARTICIPANTS;
    if (whos->until[one] < whos->since[other] || whos->until[other] < whos->since[one]) return WHEN;
    return NONE;
}

/* The guard that refuses a pair whose whos give `by_who`, or NONE. */
INLINE int64_t refuses(int64_t by_who, int64_t time, int64_t numbers, int64_t contents, int64_t other_time,
                       int64_t other_numbers, int64_t other_contents, int64_t mask)
{
    if (by_who == SUBJECT || by_who == PARTICIPANTS) return by_who;
    if (mask & 1 << WHEN) {
        if (by_who == WHEN) return WHEN;
        if (time != NEVER && other_time != NEVER && (time - other_time > DAY || other_time - time > DAY)) return WHEN;
    }
    if (mask & 1 << NUMBERS) {
        if (numbers != other_numbers || (contents != 0 && other_contents != 0 && contents != other_contents))
            return NUMBERS;
    }
    return NONE;
}

INLINE void keep(int64_t *pair, int64_t record, int64_t member, int64_t both, int64_t together)
{
    pair[0] = record;
    pair[1] = member;
    pair[2] = both;
    pair[3] = together;
}

INLINE void keep_example(const Kept *kept, int64_t guard, int64_t record, int64_t member, int64_t both,
                         int64_t together)
{
    if (kept->exampled[guard] >= EXAMPLES) return;
    keep(kept->examples[guard * kept->most + kept->exampled[guard]], record, member, both, together);
    kept->exampled[guard]++;
}

/* A record that is asked about. */
typedef struct {
    int64_t record, who, time, numbers, contents;
    uint64_t hash;
    int64_t size, base, needed; /* its tokens, those that it shares with the base, those that a pair must share */
    const int32_t *mine;        /* its tokens with a digit */
    int64_t digits;             /* how many these are */
    int64_t stamp;              /* of members to which its content hash leads */
} One;

static One one_of(int64_t record, int64_t base, int64_t stamp, const Question *question)
{
    const Asked *asked = question->asked;
    const Rule *rule = question->rule;
    int64_t size = asked->sizes[record];
    return (One){
        record,
        asked->who[record],
        asked->time[record],
        asked->numbers[record],
        asked->contents[record],
        asked->hashes[record],
        size,
        base,
        ceil_ratio(rule->numerator, size + rule->size, rule->numerator + rule->denominator),
        asked->digits + asked->starts[record],
        asked->starts[record + 1] - asked->starts[record],
        stamp,
    };
}

/* What the whos of a record and of others say, worked out once for each row. */
INLINE int64_t remembered(int64_t who, int64_t other, const Question *question)
{
    if (question->memo[other] < 0)
        question->memo[other] = (int8_t)who_differs(who, other, question->whos, question->rule->mask);
    return question->memo[other];
}

/* Whether a pair comes before the candidate that was chosen: less than 0 if it does, 0 if their scores are equal. */
INLINE int64_t behind_chosen(int64_t both, int64_t together, const Rank *rank)
{
    int64_t left = both * rank->union_, right = rank->shared * together;
    return left > right ? -1 : left < right;
}

INLINE int64_t in_both(const One *one, const int32_t *digits, int64_t width)
{
    int64_t both = 0;
    for (int64_t at = 0; at < width; at++)
        for (int64_t place = 0; place < one->digits; place++) both += one->mine[place] == digits[at];
    return both;
}

/* Look over the members first..stop for one record; return how many pairs are in `found` then. */
static int64_t look_along(int64_t first, int64_t stop, const One *one, const Question *question, const Pairs *found,
                          int64_t hits, int32_t *counted)
{
    const Columns *members = question->members;
    const Rule *rule = question->rule;
    const int64_t *stamps = question->led->stamps;
    int64_t equal_mask = rule->mask & ~(INT64_C(1) << NUMBERS), total = one->size + rule->size;
    for (int64_t member = first; member < stop; member++) {
        int64_t memory = members->memories[member];
        if (memory < rule->oldest) continue;
        int64_t more = in_both(one, members->digits + member * members->width, members->width);
        int64_t both = one->base + more, together = total - both, guard = NONE, other = members->who[member];
        if (both < one->needed) continue;
        bool is_led = members->hashes[member] == one->hash || stamps[member] == one->stamp;
        if (one->who != UNKNOWN && other != UNKNOWN) {
            guard = refuses(remembered(one->who, other, question), one->time, one->numbers, one->contents,
                            members->time[member], members->numbers[member], members->contents[member],
                            is_led ? equal_mask : rule->mask);
        }
        if (guard == NONE) {
            keep(found->pairs[hits++], one->record, member, both, together);
            continue;
        }
        int64_t behind = behind_chosen(both, together, question->rank);
        if (is_led || behind > 0 || (behind == 0 && memory >= question->rank->memory)) {
            counted[more * OUTCOMES + NONE]++;
            continue;
        }
        counted[more * OUTCOMES + guard]++;
        keep_example(question->kept, guard, one->record, member, both, together);
    }
    return hits;
}

/* Count those whole zones of the first `count` that one answer holds for; `zones->is_done` says which. */
static void look_at_zones(int64_t count, const One *one, const Question *question, const Zones *zones,
                          int32_t *counted, int64_t limit)
{
    const Rule *rule = question->rule;
    const Rank *rank = question->rank;
    int64_t equal_mask = rule->mask & ~(INT64_C(1) << NUMBERS);
    for (int64_t zone = 0; zone < count; zone++) {
        const int64_t *memories = zones->memories[zone];
        zones->is_done[zone] = 0;
        if (question->led->zones[zone] == one->stamp || memories[0] < rule->oldest) continue;
        int64_t more = zone_overlap(one->mine, one->digits, zones, zone);
        if (more == UNDECIDED) continue;
        int64_t both = one->base + more, together = one->size + rule->size - both;
        if (both < one->needed) {
            zones->is_done[zone] = 1;
            continue;
        }
        int64_t is_led = zone_is_led(one->hash, zones, zone), other = zones->who[zone];
        if (is_led == UNDECIDED || one->who == UNKNOWN || other == UNKNOWN) continue;
        int64_t guard = zone_refuses(remembered(one->who, other, question), one->time, one->numbers, one->contents,
                                     zones, zone, is_led ? equal_mask : rule->mask);
        if (guard == UNDECIDED) continue;
        int64_t behind = behind_chosen(both, together, rank);
        if (is_led || behind > 0 || (behind == 0 && memories[0] >= rank->memory)) guard = NONE;
        else if (behind == 0 && memories[1] >= rank->memory) continue;
        zones->is_done[zone] = 1;
        counted[more * OUTCOMES + guard] += (int32_t)smaller(limit - zone * ZONE, ZONE);
        if (guard != NONE) keep_example(question->kept, guard, one->record, zone * ZONE, both, together);
    }
}

/* Stamp the members to which a content hash leads, and their zones. */
static void stamp_led(const Led *led, uint64_t content_hash, int64_t stamp)
{
    int64_t low = 0, high = led->count;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (led->hashes[middle] < content_hash) low = middle + 1;
        else high = middle;
    }
    for (; low < led->count && led->hashes[low] == content_hash; low++) {
        led->stamps[led->members[low]] = stamp;
        led->zones[led->members[low] / ZONE] = stamp;
    }
}

int64_t look_over(int64_t start, const int64_t *records, int64_t count, const int64_t *shared, const int64_t *limits,
                  const Question *question, const Zones *zones, const Pairs *found, int32_t *counted, int64_t *hits)
{
    const Columns *members = question->members;
    int64_t last = UNKNOWN, stride = (members->width + 1) * OUTCOMES;
    *hits = 0;
    for (int64_t number = start; number < count; number++) {
        int64_t limit = limits[number], first = 0;
        if (*hits > 0 && *hits + limit > found->room) return number;
        One one = one_of(records[number], shared[number], number + 1, question);
        if (one.who != last) {
            memset(question->memo, -1, (size_t)question->memos);
            last = one.who;
        }
        stamp_led(question->led, one.hash, one.stamp);
        int32_t *counts = counted + number * stride;
        int64_t whole = limit == members->count ? zones->count : smaller(zones->count, limit / ZONE);
        look_at_zones(whole, &one, question, zones, counts, limit);
        for (int64_t zone = 0; zone < whole; zone++) {
            if (!zones->is_done[zone]) continue;
            *hits = look_along(first, zone * ZONE, &one, question, found, *hits, counts);
            first = smaller(limit, (zone + 1) * ZONE);
        }
        *hits = look_along(first, limit, &one, question, found, *hits, counts);
    }
    return count;
}

void recount(int64_t record, int64_t base, const Changes *changes, int64_t count, const Question *question,
             const Pairs *found, int32_t *counted, int32_t *before)
{
    One one = one_of(record, base, 1, question);
    const Whos *whos = question->whos;
    int64_t width = question->members->width, mask = question->rule->mask;
    stamp_led(question->led, one.hash, one.stamp);
    for (int64_t at = 0; at < count; at++) {
        int64_t member = changes->members[at];
        memset(before, 0, (size_t)((width + 1) * OUTCOMES) * sizeof *before);
        look_along(member, member + 1, &one, question, found, 0, before);
        for (int64_t more = 0; more <= width; more++) {
            for (int64_t guard = NONE + 1; guard < OUTCOMES; guard++) {
                if (!before[more * OUTCOMES + guard]) continue;
                int64_t now = refuses(who_differs(one.who, changes->who[at], whos, mask), one.time, one.numbers,
                                      one.contents, changes->time[at], changes->numbers[at], changes->contents[at],
                                      mask);
                counted[more * OUTCOMES + guard]--;
                counted[more * OUTCOMES + now]++;
            }
        }
    }
}

bool lets_go(const int64_t *records, int64_t count, const Asked *asked, const Facts *old, const Facts *new,
             const Whos *whos, int64_t mask)
{
    int64_t masks[] = {mask, mask & ~(INT64_C(1) << NUMBERS)};
    for (int64_t at = 0; at < count; at++) {
        int64_t record = records[at], who = asked->who[record], time = asked->time[record];
        int64_t numbers = asked->numbers[record], contents = asked->contents[record];
        int64_t before = who_differs(who, old->who, whos, mask), after = who_differs(who, new->who, whos, mask);
        for (int each = 0; each < 2; each++) {
            if (refuses(before, time, numbers, contents, old->time, old->numbers, old->contents, masks[each]) != NONE
                && refuses(after, time, numbers, contents, new->time, new->numbers, new->contents, masks[each]) == NONE)
                return true;
        }
    }
    return false;
}
