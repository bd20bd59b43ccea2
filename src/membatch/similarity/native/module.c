/* What Python sees of the loops: each takes arrays, and works without the interpreter's lock.
 *
 * Rule: an array is taken only if its numbers are of the kind that the loop reads, one after the other; tuples are those
 * of `columns.py`, `facts.py`, `postings.py`, `families.py` and `parts.py`, by position. How long an array must be is said
 * with each loop, and is not looked at here. Written for the stable interface of CPython 3.11. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "crowds.h"
#include "families.h"
#include "probe.h"
#include "slots.h"
#include "tokens.h"

enum { MOST_ARRAYS = 64 };

/* The arrays that a call holds. */
typedef struct {
    Py_buffer held[MOST_ARRAYS];
    int count;
    bool failed;
} Arrays;

static void *array(Arrays *arrays, PyObject *object, const char *letters, Py_ssize_t bytes, bool writes, int64_t *size)
{
    if (object == NULL) arrays->failed = true;
    if (arrays->failed) return NULL;
    Py_buffer *view = &arrays->held[arrays->count];
    int flags = PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (writes ? PyBUF_WRITABLE : 0);
    if (arrays->count == MOST_ARRAYS || PyObject_GetBuffer(object, view, flags) < 0) {
        arrays->failed = true;
        return NULL;
    }
    arrays->count++;
    const char *format = view->format ? view->format : "B";
    if (view->itemsize != bytes || strlen(format) != 1 || strchr(letters, format[0]) == NULL) {
        PyErr_Format(PyExc_TypeError, "an array of %zd bytes an item (%s) is given, one of %zd (%s) is expected",
                     view->itemsize, format, bytes, letters);
        arrays->failed = true;
        return NULL;
    }
    if (size) *size = view->len / bytes;
    return view->buf;
}

#define READS(arrays, object, size, letters, bytes) array(arrays, object, letters, bytes, false, size)
#define WRITES(arrays, object, size, letters, bytes) array(arrays, object, letters, bytes, true, size)
#define INT32 "il", 4
#define INT64 "lq", 8
#define UINT64 "LQ", 8
#define BYTES "?bB", 1

static int64_t integer(Arrays *arrays, PyObject *object)
{
    if (object == NULL) arrays->failed = true;
    if (arrays->failed) return 0;
    long long value = PyLong_AsLongLong(object);
    if (value == -1 && PyErr_Occurred()) arrays->failed = true;
    return value;
}

/* A member of a tuple, borrowed. */
static PyObject *member(Arrays *arrays, PyObject *tuple, Py_ssize_t place)
{
    if (arrays->failed) return NULL;
    PyObject *found = PyTuple_GetItem(tuple, place);
    if (found == NULL) arrays->failed = true;
    return found;
}

static bool begin(Arrays *arrays, Py_ssize_t given, Py_ssize_t expected, const char *name)
{
    arrays->count = 0;
    arrays->failed = given != expected;
    if (arrays->failed) PyErr_Format(PyExc_TypeError, "%s takes %zd arguments, not %zd", name, expected, given);
    return !arrays->failed;
}

static bool end(Arrays *arrays)
{
    while (arrays->count > 0) PyBuffer_Release(&arrays->held[--arrays->count]);
    return !arrays->failed;
}

static PyObject *nothing(void)
{
    Py_INCREF(Py_None);
    return Py_None;
}

/* A function for Python: BEGIN its name and how many arguments it takes, then what it takes, then WORK, then END. */
#define BEGIN(name, expected)                                                                \
    static PyObject *py_##name(PyObject *module, PyObject *const *given, Py_ssize_t count)   \
    {                                                                                        \
        Arrays arrays;                                                                       \
        (void)module;                                                                        \
        if (!begin(&arrays, count, expected, #name)) return NULL;
#define WORK(work)                   \
    if (!arrays.failed) {            \
        Py_BEGIN_ALLOW_THREADS       \
        work;                        \
        Py_END_ALLOW_THREADS         \
    }
#define END(result)                         \
        return end(&arrays) ? (result) : NULL; \
    }
#define IN(place, kind) READS(&arrays, given[place], NULL, kind)
#define IN_SIZED(place, size, kind) READS(&arrays, given[place], size, kind)
#define OUT(place, kind) WRITES(&arrays, given[place], NULL, kind)
#define OUT_SIZED(place, size, kind) WRITES(&arrays, given[place], size, kind)
#define NUMBER(place) integer(&arrays, given[place])
#define FIELD(place, kind) READS(arrays, member(arrays, tuple, place), NULL, kind)
#define FIELD_SIZED(place, size, kind) READS(arrays, member(arrays, tuple, place), size, kind)
#define FIELD_OUT(place, kind) WRITES(arrays, member(arrays, tuple, place), NULL, kind)
#define FIELD_OUT_SIZED(place, size, kind) WRITES(arrays, member(arrays, tuple, place), size, kind)
#define FIELD_NUMBER(place) integer(arrays, member(arrays, tuple, place))

/* Tokens. */

/* Read a tuple of texts; return how many bytes they have, or -1. */
static int64_t read_texts(PyObject *tuple, Text *texts, Py_ssize_t count)
{
    int64_t total = 0;
    for (Py_ssize_t at = 0; at < count; at++) {
        Py_ssize_t size;
        const char *start = PyUnicode_AsUTF8AndSize(PyTuple_GetItem(tuple, at), &size);
        if (start == NULL) return -1;
        texts[at] = (Text){(const uint8_t *)start, size};
        total += size;
    }
    return total;
}

/* A list with the hashes of each text, 8 bytes each. */
static PyObject *listed(const uint64_t *hashes, const int64_t *ends, Py_ssize_t count)
{
    PyObject *list = PyList_New(count);
    int64_t begin = 0;
    for (Py_ssize_t at = 0; list != NULL && at < count; at++) {
        Py_ssize_t size = (Py_ssize_t)((ends[at] - begin) * (int64_t)sizeof *hashes);
        PyObject *mine = PyBytes_FromStringAndSize((const char *)(hashes + begin), size);
        if (mine == NULL || PyList_SetItem(list, at, mine) < 0) Py_CLEAR(list);
        begin = ends[at];
    }
    return list;
}

BEGIN(hash_tokens, 2)
    const uint8_t *classes = IN(1, BYTES);
    PyObject *list = NULL, *own = arrays.failed ? NULL : PySequence_Tuple(given[0]); /* nobody takes texts out of it */
    Py_ssize_t size = own == NULL ? 0 : PyTuple_Size(own);
    Text *texts = own == NULL ? NULL : malloc((size_t)(size + 1) * sizeof *texts);
    int64_t *ends = own == NULL ? NULL : malloc((size_t)(size + 1) * sizeof *ends);
    int64_t total = texts == NULL || ends == NULL ? -1 : read_texts(own, texts, size);
    uint64_t *hashes = total < 0 ? NULL : malloc((size_t)(total + 1) * sizeof *hashes);
    if (hashes != NULL) {
        WORK(hash_tokens(texts, size, classes, hashes, ends))
        list = listed(hashes, ends, size);
    }
    if (list == NULL && !PyErr_Occurred()) PyErr_NoMemory();
    arrays.failed = list == NULL;
    Py_XDECREF(own);
    free(hashes);
    free(ends);
    free(texts);
END(list)

BEGIN(number_tokens, 7)
    int64_t size, slots, at = 0;
    const uint64_t *hashes = IN_SIZED(0, &size, UINT64);
    int64_t start = NUMBER(1);
    uint64_t *keys = OUT_SIZED(2, &slots, UINT64);
    int32_t *numbers = OUT(3, INT32);
    int64_t known = NUMBER(4);
    uint8_t *has_digit = OUT(5, BYTES);
    int32_t *out = OUT(6, INT32);
    WORK(at = number_tokens(hashes, size, start, keys, slots, numbers, &known, has_digit, out))
END(Py_BuildValue("LL", (long long)at, (long long)known))

BEGIN(rehash, 4)
    int64_t old_slots, slots;
    const uint64_t *old_keys = IN_SIZED(0, &old_slots, UINT64);
    const int32_t *old_values = IN(1, INT32);
    uint64_t *keys = OUT_SIZED(2, &slots, UINT64);
    int32_t *values = OUT(3, INT32);
    WORK(rehash(old_keys, old_values, old_slots, keys, values, slots))
END(nothing())

BEGIN(sort_rows, 3)
    int64_t rows;
    int32_t *tokens = OUT(0, INT32);
    const int64_t *ends = IN_SIZED(1, &rows, INT64);
    int64_t first = NUMBER(2);
    WORK(sort_rows(tokens, ends, rows, first))
END(nothing())

BEGIN(sign_rows, 5)
    int64_t first = NUMBER(0), stop = NUMBER(1);
    const int32_t *tokens = IN(2, INT32);
    const int64_t *offsets = IN(3, INT64);
    uint64_t *signatures = OUT(4, UINT64);
    WORK(sign_rows(first, stop, tokens, offsets, signatures))
END(nothing())

BEGIN(rank_rows, 6)
    int64_t first = NUMBER(0), stop = NUMBER(1);
    int32_t *tokens = OUT(2, INT32);
    const int64_t *offsets = IN(3, INT64);
    const int32_t *rank = IN(4, INT32);
    uint64_t *signatures = OUT(5, UINT64);
    WORK(rank_rows(first, stop, tokens, offsets, rank, signatures))
END(nothing())

BEGIN(count_tokens, 2)
    int64_t size;
    const int32_t *tokens = IN_SIZED(0, &size, INT32);
    int64_t *frequency = OUT(1, INT64);
    WORK(count_tokens(tokens, size, frequency))
END(nothing())

/* Postings. */

static Rows rows_of(Arrays *arrays, PyObject *tuple)
{
    Rows rows = {0};
    rows.tokens = FIELD(0, INT32);
    rows.offsets = FIELD(1, INT64);
    rows.scopes = FIELD(2, INT32);
    rows.signatures = FIELD(3, UINT64);
    rows.alive = FIELD(4, BYTES);
    rows.numerator = FIELD_NUMBER(5);
    rows.denominator = FIELD_NUMBER(6);
    return rows;
}

static Lists lists_of(Arrays *arrays, PyObject *tuple)
{
    Lists lists = {0};
    lists.keys = FIELD_OUT_SIZED(0, &lists.slots, UINT64);
    lists.numbers = FIELD_OUT(1, INT32);
    lists.table = FIELD_OUT_SIZED(2, &lists.room, INT32);
    lists.room /= TABLE_WIDTH;
    lists.slab = FIELD_OUT_SIZED(3, &lists.size, UINT64);
    lists.free = FIELD_OUT(4, INT64);
    lists.state = FIELD_OUT(5, INT64);
    return lists;
}

static Places places_of(Arrays *arrays, PyObject *tuple)
{
    Places places = {0};
    places.first = FIELD_NUMBER(0);
    places.starts = FIELD_OUT(1, INT64);
    places.lists = FIELD_OUT(2, INT32);
    return places;
}

BEGIN(place_rows, 4)
    int64_t size;
    const uint8_t *wanted = IN_SIZED(0, &size, BYTES);
    Rows rows = rows_of(&arrays, given[1]);
    Lists lists = lists_of(&arrays, given[2]);
    Places places = places_of(&arrays, given[3]);
    WORK(place_rows(wanted, size, &rows, &lists, &places))
END(nothing())

BEGIN(insert_rows, 6)
    int64_t first = NUMBER(0), stop = NUMBER(1);
    Places places = places_of(&arrays, given[2]);
    Rows rows = rows_of(&arrays, given[3]);
    Lists lists = lists_of(&arrays, given[4]);
    int32_t (*grown)[2] = OUT(5, INT32);
    WORK(first = insert_rows(first, stop, &places, &rows, &lists, grown))
END(PyLong_FromLongLong(first))

BEGIN(take_out_rows, 5)
    int64_t first = NUMBER(0), stop = NUMBER(1);
    Places places = places_of(&arrays, given[2]);
    Rows rows = rows_of(&arrays, given[3]);
    int32_t (*table)[TABLE_WIDTH] = OUT(4, INT32);
    WORK(take_out_rows(first, stop, &places, &rows, table))
END(nothing())

BEGIN(split_lists, 6)
    int64_t at = NUMBER(0), size;
    const int32_t *which = IN_SIZED(1, &size, INT32), *of = IN(2, INT32);
    Rows rows = rows_of(&arrays, given[3]);
    Lists lists = lists_of(&arrays, given[4]);
    uint64_t *old = OUT(5, UINT64);
    WORK(at = split_lists(at, which, size, of, &rows, &lists, old))
END(PyLong_FromLongLong(at))

BEGIN(count_all, 3)
    int64_t size;
    const int64_t *which = IN_SIZED(0, &size, INT64);
    int32_t (*table)[TABLE_WIDTH] = OUT(1, INT32);
    const uint64_t *slab = IN(2, UINT64);
    WORK(count_all(which, size, table, slab))
END(nothing())

BEGIN(merge_tails, 4)
    int64_t size;
    const int32_t *which = IN_SIZED(0, &size, INT32);
    int32_t (*table)[TABLE_WIDTH] = OUT(1, INT32);
    uint64_t *slab = OUT(2, UINT64), *tail = OUT(3, UINT64);
    WORK(merge_tails(which, size, table, slab, tail))
END(nothing())

BEGIN(purge_rows, 4)
    int64_t size;
    const int64_t *which = IN_SIZED(0, &size, INT64);
    Rows rows = rows_of(&arrays, given[1]);
    Lists lists = lists_of(&arrays, given[2]);
    uint8_t *is_clean = OUT(3, BYTES);
    WORK(purge_rows(which, size, &rows, &lists, is_clean))
END(nothing())

BEGIN(count_entries, 4)
    int64_t first = NUMBER(0), stop = NUMBER(1);
    Rows rows = rows_of(&arrays, given[2]);
    Lists lists = lists_of(&arrays, given[3]);
    WORK(first = count_entries(first, stop, &rows, &lists))
END(PyLong_FromLongLong(first))

BEGIN(fill_lists, 7)
    int64_t first = NUMBER(0), stop = NUMBER(1);
    Rows rows = rows_of(&arrays, given[2]);
    Lists lists = lists_of(&arrays, given[3]);
    const uint8_t *is_split = IN(4, BYTES);
    const int64_t *reaches = IN(5, INT64);
    int64_t *ends = OUT(6, INT64);
    WORK(fill_lists(first, stop, &rows, &lists, is_split, reaches, ends))
END(nothing())

static Room room_of(Arrays *arrays, PyObject *tuple)
{
    Room room = {0};
    room.seen = FIELD_OUT(0, INT32);
    room.met = FIELD_OUT_SIZED(1, &room.meets, UINT64);
    room.fits = FIELD_OUT(2, BYTES);
    room.found = FIELD_OUT_SIZED(3, &room.finds, INT32);
    room.finds /= FOUND_WIDTH;
    room.counted = FIELD_OUT(4, INT64);
    return room;
}

BEGIN(find_similar, 7)
    Probed probed = {0};
    int64_t start = NUMBER(0), stop = NUMBER(1);
    Places places = places_of(&arrays, given[2]);
    Rows rows = rows_of(&arrays, given[3]);
    Lists lists = lists_of(&arrays, given[4]);
    Room room = room_of(&arrays, given[5]);
    int64_t stamp = NUMBER(6);
    WORK(probed = find_similar(start, stop, &places, &rows, &lists, &room, stamp))
END(Py_BuildValue("LLLL", (long long)probed.row, (long long)probed.hits, (long long)probed.meets,
                  (long long)probed.finds))

/* Crowds. */

static Columns columns_of(Arrays *arrays, PyObject *tuple)
{
    Columns columns = {0};
    int64_t digits = 0;
    columns.who = FIELD_SIZED(0, &columns.count, INT32);
    columns.time = FIELD(1, INT64);
    columns.numbers = FIELD(2, INT32);
    columns.contents = FIELD(3, INT32);
    columns.hashes = FIELD(4, UINT64);
    columns.memories = FIELD(5, INT64);
    columns.digits = FIELD_SIZED(6, &digits, INT32);
    columns.width = columns.count ? digits / columns.count : 0;
    return columns;
}

static Zones zones_of(Arrays *arrays, PyObject *tuple, int64_t width)
{
    Zones zones = {0};
    zones.who = FIELD_OUT_SIZED(0, &zones.count, INT32);
    zones.time = FIELD_OUT(1, INT64);
    zones.given = FIELD_OUT(2, BYTES);
    zones.numbers = FIELD_OUT(3, INT32);
    zones.contents = FIELD_OUT(4, INT32);
    zones.hashes = FIELD_OUT(5, UINT64);
    zones.memories = FIELD_OUT(6, INT64);
    zones.digits = FIELD_OUT(7, INT32);
    zones.hash_bits = FIELD_OUT(8, UINT64);
    zones.number_bits = FIELD_OUT(9, UINT64);
    zones.digit_bits = FIELD_OUT(10, UINT64);
    zones.is_done = FIELD_OUT(11, BYTES);
    zones.width = width;
    return zones;
}

static Asked asked_of(Arrays *arrays, PyObject *tuple)
{
    Asked asked = {0};
    asked.who = FIELD(0, INT32);
    asked.time = FIELD(1, INT64);
    asked.numbers = FIELD(2, INT32);
    asked.contents = FIELD(3, INT32);
    asked.hashes = FIELD(4, UINT64);
    asked.sizes = FIELD(5, INT64);
    asked.starts = FIELD(6, INT64);
    asked.digits = FIELD(7, INT32);
    return asked;
}

static Led led_of(Arrays *arrays, PyObject *tuple)
{
    Led led = {0};
    led.hashes = FIELD_SIZED(0, &led.count, UINT64);
    led.members = FIELD(1, INT64);
    led.stamps = FIELD_OUT(2, INT64);
    led.zones = FIELD_OUT(3, INT64);
    return led;
}

static Whos whos_of(Arrays *arrays, PyObject *tuple)
{
    Whos whos = {0};
    whos.subjects = FIELD(0, INT32);
    whos.people = FIELD(1, INT32);
    whos.begins = FIELD(2, INT32);
    whos.since = FIELD(3, INT64);
    whos.until = FIELD(4, INT64);
    return whos;
}

static Rule rule_of(Arrays *arrays, PyObject *tuple)
{
    return (Rule){FIELD_NUMBER(0), FIELD_NUMBER(1), FIELD_NUMBER(2), FIELD_NUMBER(3), FIELD_NUMBER(4)};
}

static Rank rank_of(Arrays *arrays, PyObject *tuple)
{
    return (Rank){FIELD_NUMBER(0), FIELD_NUMBER(1), FIELD_NUMBER(2)};
}

static Kept kept_of(Arrays *arrays, PyObject *tuple)
{
    Kept kept = {0};
    kept.examples = FIELD_OUT_SIZED(0, &kept.most, INT64);
    kept.most /= 4 * OUTCOMES;
    kept.exampled = FIELD_OUT(1, INT64);
    return kept;
}

static Changes changes_of(Arrays *arrays, PyObject *tuple)
{
    Changes changes = {0};
    changes.members = FIELD(0, INT64);
    changes.who = FIELD(1, INT32);
    changes.time = FIELD(2, INT64);
    changes.numbers = FIELD(3, INT32);
    changes.contents = FIELD(4, INT32);
    return changes;
}

static Facts facts_of(Arrays *arrays, PyObject *tuple)
{
    return (Facts){FIELD_NUMBER(0), FIELD_NUMBER(1), FIELD_NUMBER(2), FIELD_NUMBER(3)};
}

BEGIN(write_zones, 2)
    Columns members = columns_of(&arrays, given[0]);
    Zones zones = zones_of(&arrays, given[1], members.width);
    WORK(write_zones(&members, &zones))
END(nothing())

BEGIN(look_over, 15)
    int64_t at = NUMBER(0), size, memos, hits = 0;
    const int64_t *records = IN_SIZED(1, &size, INT64), *shared = IN(2, INT64), *limits = IN(3, INT64);
    Asked asked = asked_of(&arrays, given[4]);
    Columns members = columns_of(&arrays, given[5]);
    Zones zones = zones_of(&arrays, given[6], members.width);
    Led led = led_of(&arrays, given[7]);
    Whos whos = whos_of(&arrays, given[8]);
    int8_t *memo = OUT_SIZED(9, &memos, BYTES);
    Rule rule = rule_of(&arrays, given[10]);
    Rank rank = rank_of(&arrays, given[11]);
    Pairs found = {0};
    found.pairs = OUT_SIZED(12, &found.room, INT64);
    found.room /= 4;
    int32_t *counted = OUT(13, INT32);
    Kept kept = kept_of(&arrays, given[14]);
    Question question = {&asked, &members, &led, &whos, memo, memos, &rule, &rank, &kept};
    WORK(at = look_over(at, records, size, shared, limits, &question, &zones, &found, counted, &hits))
END(Py_BuildValue("LL", (long long)at, (long long)hits))

BEGIN(recount, 15)
    int64_t record = NUMBER(0), base = NUMBER(1), memos;
    Asked asked = asked_of(&arrays, given[2]);
    Columns members = columns_of(&arrays, given[3]);
    Changes changes = changes_of(&arrays, given[4]);
    int64_t changed = NUMBER(5);
    Led led = led_of(&arrays, given[6]);
    Whos whos = whos_of(&arrays, given[7]);
    int8_t *memo = OUT_SIZED(8, &memos, BYTES);
    Rule rule = rule_of(&arrays, given[9]);
    Rank rank = rank_of(&arrays, given[10]);
    Pairs found = {OUT(11, INT64), 1};
    int32_t *counted = OUT(12, INT32), *before = OUT(13, INT32);
    Kept kept = kept_of(&arrays, given[14]);
    Question question = {&asked, &members, &led, &whos, memo, memos, &rule, &rank, &kept};
    WORK(recount(record, base, &changes, changed, &question, &found, counted, before))
END(nothing())

BEGIN(lets_go, 6)
    bool does = false;
    int64_t size;
    const int64_t *records = IN_SIZED(0, &size, INT64);
    Asked asked = asked_of(&arrays, given[1]);
    Facts old = facts_of(&arrays, given[2]), new = facts_of(&arrays, given[3]);
    Whos whos = whos_of(&arrays, given[4]);
    int64_t mask = NUMBER(5);
    WORK(does = lets_go(records, size, &asked, &old, &new, &whos, mask))
END(PyBool_FromLong(does))

/* Families. */

static TokenRows token_rows_of(Arrays *arrays, PyObject *tuple)
{
    TokenRows rows = {0};
    rows.tokens = FIELD(0, INT32);
    rows.offsets = FIELD(1, INT64);
    rows.scopes = FIELD(2, INT32);
    rows.has_digit = FIELD(3, BYTES);
    return rows;
}

BEGIN(base_keys, 4)
    int64_t size;
    const int64_t *which = IN_SIZED(0, &size, INT64);
    TokenRows rows = token_rows_of(&arrays, given[1]);
    int64_t most = NUMBER(2);
    uint64_t *keys = OUT(3, UINT64);
    WORK(base_keys(which, size, &rows, most, keys))
END(nothing())

BEGIN(digits_of, 3)
    int64_t size, room;
    const int64_t *which = IN_SIZED(0, &size, INT64);
    TokenRows rows = token_rows_of(&arrays, given[1]);
    int32_t *digits = OUT_SIZED(2, &room, INT32);
    WORK(digits_of(which, size, &rows, size ? room / size : 0, digits))
END(nothing())

BEGIN(prefix_keys, 6)
    int64_t size, written = 0;
    const int64_t *which = IN_SIZED(0, &size, INT64);
    TokenRows rows = token_rows_of(&arrays, given[1]);
    int64_t numerator = NUMBER(2), denominator = NUMBER(3);
    uint64_t *keys = OUT(4, UINT64);
    int64_t *holders = OUT(5, INT64);
    WORK(written = prefix_keys(which, size, &rows, numerator, denominator, keys, holders))
END(PyLong_FromLongLong(written))

BEGIN(token_keys, 3)
    int64_t size, scope = NUMBER(0);
    const int32_t *tokens = IN_SIZED(1, &size, INT32);
    uint64_t *keys = OUT(2, UINT64);
    WORK(token_keys((int32_t)scope, tokens, size, keys))
END(nothing())

BEGIN(overlaps, 6)
    int64_t size;
    const int64_t *which = IN_SIZED(0, &size, INT64), *crowds = IN(1, INT64);
    TokenRows rows = token_rows_of(&arrays, given[2]);
    const int32_t *bases = IN(3, INT32);
    const int64_t *base_offsets = IN(4, INT64);
    int64_t *shared = OUT(5, INT64);
    WORK(overlaps(which, crowds, size, &rows, bases, base_offsets, shared))
END(nothing())

BEGIN(flat_digits, 5)
    int64_t first = NUMBER(0), stop = NUMBER(1);
    TokenRows rows = token_rows_of(&arrays, given[2]);
    int64_t *starts = OUT(3, INT64);
    int32_t *digits = OUT(4, INT32);
    WORK(flat_digits(first, stop, &rows, starts, digits))
END(nothing())

/* Slots. */

BEGIN(find_keys, 8)
    int64_t size;
    Slots slots = {0};
    slots.rows = OUT_SIZED(0, &slots.size, INT32);
    slots.capacity = NUMBER(1);
    bool has_checks = given[3] != Py_None;
    const uint64_t *keys = IN(2, UINT64), *checks = has_checks ? IN(3, UINT64) : NULL;
    const uint64_t *wanted = IN_SIZED(4, &size, UINT64), *wanted_checks = has_checks ? IN(5, UINT64) : NULL;
    int64_t *found = OUT(6, INT64), *places = OUT(7, INT64);
    WORK(find_keys(&slots, keys, checks, wanted, wanted_checks, size, found, places))
END(nothing())

BEGIN(enter_keys, 4)
    bool are_entered = false;
    int64_t size;
    Slots slots = {0};
    slots.rows = OUT_SIZED(0, &slots.size, INT32);
    slots.capacity = NUMBER(1);
    const uint64_t *keys = IN(2, UINT64);
    const int64_t *rows = IN_SIZED(3, &size, INT64);
    WORK(are_entered = enter_keys(&slots, keys, rows, size))
END(PyBool_FromLong(are_entered))

#define FUNCTION(name) {#name, (PyCFunction)(void (*)(void))py_##name, METH_FASTCALL, NULL}

static PyMethodDef functions[] = {
    FUNCTION(hash_tokens),  FUNCTION(number_tokens), FUNCTION(rehash),        FUNCTION(sort_rows),
    FUNCTION(sign_rows),    FUNCTION(rank_rows),     FUNCTION(count_tokens),  FUNCTION(place_rows),
    FUNCTION(insert_rows),  FUNCTION(take_out_rows), FUNCTION(split_lists),   FUNCTION(count_all),
    FUNCTION(merge_tails),  FUNCTION(purge_rows),    FUNCTION(count_entries), FUNCTION(fill_lists),
    FUNCTION(find_similar), FUNCTION(write_zones),   FUNCTION(look_over),     FUNCTION(recount),
    FUNCTION(lets_go),      FUNCTION(base_keys),     FUNCTION(digits_of),     FUNCTION(prefix_keys),
    FUNCTION(token_keys),   FUNCTION(overlaps),      FUNCTION(flat_digits),   FUNCTION(find_keys),
    FUNCTION(enter_keys),   {NULL, NULL, 0, NULL},
};

/* The constants that Python needs too; `kernels.pyi` says what they are. */
static const struct {
    const char *name;
    long value;
} constants[] = {
    {"WORD", WORD},         {"SYMBOL", SYMBOL},     {"UNSPACED", UNSPACED},
    {"MOST_ROWS", MOST_ROWS}, {"LONG", LONG},         {"UNSPLIT", UNSPLIT},   {"START", START},
    {"LENGTH", LENGTH},       {"CAPACITY", CAPACITY}, {"SORTED", SORTED},     {"TABLE_WIDTH", TABLE_WIDTH},
    {"LISTS", LISTS},         {"END", END},           {"ROOM", ROOM},         {"GROWN", GROWN},
    {"STATES", STATES},       {"RECORD", RECORD},     {"FOUND", FOUND},       {"FREE", FREE},
    {"UNKNOWN", UNKNOWN},     {"NOBODY", NOBODY},     {"ZONE", ZONE},         {"EXAMPLES", EXAMPLES},
    {"NONE", NONE},           {"SUBJECT", SUBJECT},   {"PARTICIPANTS", PARTICIPANTS}, {"WHEN", WHEN},
    {"NUMBERS", NUMBERS},     {"OUTCOMES", OUTCOMES},
};

static int add_constants(PyObject *module)
{
    for (size_t at = 0; at < sizeof constants / sizeof *constants; at++)
        if (PyModule_AddIntConstant(module, constants[at].name, constants[at].value) < 0) return -1;
    return 0;
}

static PyModuleDef_Slot slots_of_module[] = {{Py_mod_exec, (void *)add_constants}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "kernels", "Compiled loops of the similarity search.", 0, functions, slots_of_module,
    NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit_kernels(void) { return PyModuleDef_Init(&definition); }
