/* Canonical text where a text is ASCII, which most are: one pass in place of five.
 *
 * Rule: what `fingerprint.canonical_text` does in Python; a text with another character is left to it. Written for the
 * stable interface of CPython 3.11. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stdbool.h>

/* White space as str.split() knows it: tab to carriage return, four separators, the space. */
static bool is_space(unsigned char character)
{
    return character == ' ' || (character >= 9 && character <= 13) || (character >= 28 && character <= 31);
}

static unsigned char folded_of[256]; /* of each character what stands for it */

static int fill_table(PyObject *module)
{
    (void)module;
    for (int at = 0; at < 256; at++) {
        unsigned char character = (unsigned char)at;
        folded_of[at] = is_space(character) ? ' ' : character >= 'A' && character <= 'Z' ? character | 0x20 : character;
    }
    return 0;
}

/* Fold what does not count; `folded` has room for as many characters. Returns how many are left, -1 for no ASCII. */
static Py_ssize_t fold(const char *text, Py_ssize_t size, char *folded)
{
    Py_ssize_t at = 0;
    unsigned char last = ' ', all = 0;
    for (Py_ssize_t place = 0; place < size; place++) { /* without a branch, which each word would mislead */
        unsigned char character = (unsigned char)text[place], instead = folded_of[character];
        all |= character;
        folded[at] = (char)instead;
        at += (instead != ' ') | (last != ' ');
        last = instead;
    }
    while (at > 0 && (folded[at - 1] == '.' || folded[at - 1] == ' ')) at--;
    return all & 0x80 ? -1 : at;
}

static PyObject *folded(PyObject *module, PyObject *text)
{
    enum { SHORT = 1024 };
    char few[SHORT];
    Py_ssize_t size;
    const char *characters = PyUnicode_AsUTF8AndSize(text, &size);
    (void)module;
    if (characters == NULL) { /* half of a surrogate pair is no ASCII */
        if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) return NULL;
        PyErr_Clear();
        Py_INCREF(Py_None);
        return Py_None;
    }
    char *room = size <= SHORT ? few : PyMem_Malloc((size_t)size);
    if (room == NULL) return PyErr_NoMemory();
    Py_ssize_t left = fold(characters, size, room);
    PyObject *result;
    if (left >= 0) {
        result = PyUnicode_FromStringAndSize(room, left);
    } else {
        Py_INCREF(Py_None);
        result = Py_None;
    }
    if (room != few) PyMem_Free(room);
    return result;
}

static PyMethodDef functions[] = {{"folded", folded, METH_O, NULL}, {NULL, NULL, 0, NULL}};

static PyModuleDef_Slot slots[] = {{Py_mod_exec, (void *)fill_table}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "folding", "Canonical text of ASCII texts.", 0, functions, slots, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit_folding(void) { return PyModuleDef_Init(&definition); }
