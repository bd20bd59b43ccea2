/* Makes system calls on chosen files fail, kill the process, or write down what they did.
 *
 * Loaded with LD_PRELOAD. Only files below the folder given to fault_arm count; all others are left alone. The
 * calls that count are numbered from 1; what happens at which number is set by fault_arm, from the test's own
 * process, after the fork. Single-threaded use.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

enum { NONE, FAIL, KILL_BEFORE, KILL_AFTER, FULL };
enum { WRITES = 1, SYNCS = 2, READS = 4, OPENS = 8, TRUNCATES = 16, UNLINKS = 32 };

static char folder[4096];
static int mode, kinds, error_number, sticky, log_fd = -1;
static long at, count, budget, fired;
static char *names[4096];

#define REAL(name) ({ static typeof(&name) real; if (!real) real = (typeof(&name)) dlsym(RTLD_NEXT, #name); real; })

void fault_arm(const char *below, int how, int which, long number, int error, int stays, const char *log) {
    strncpy(folder, below, sizeof folder - 1);
    mode = how; kinds = which; at = number; error_number = error; sticky = stays;
    budget = number; count = fired = 0;
    log_fd = log && *log ? REAL(open)(log, O_WRONLY | O_CREAT | O_APPEND, 0600) : -1;
}

long fault_count(void) { return count; }
long fault_fired(void) { return fired; }

static const char *path_of(int fd) {
    if (!folder[0] || fd < 0 || fd >= 4096) return NULL;
    return names[fd];
}

static void note(char what, const char *path, int64_t offset, const void *data, int64_t size) {
    if (log_fd < 0) return;
    int32_t length = (int32_t) strlen(path);
    char head[1 + 4 + 8 + 8];
    head[0] = what;
    memcpy(head + 1, &length, 4);
    memcpy(head + 5, &offset, 8);
    memcpy(head + 13, &size, 8);
    REAL(write)(log_fd, head, sizeof head);
    REAL(write)(log_fd, path, length);
    if (data) REAL(write)(log_fd, data, size);
}

/* Returns whether the call must fail now; errno is set. */
static int strikes(int kind) {
    if (!folder[0] || mode == NONE || mode == FULL || !(kinds & kind)) { if (kinds & kind) count++; return 0; }
    count++;
    if (mode == KILL_BEFORE && count == at) raise(SIGKILL);
    if (mode == FAIL && (count == at || (sticky && count > at))) { fired++; errno = error_number; return 1; }
    return 0;
}

static void survives(int kind) {
    if (mode == KILL_AFTER && (kinds & kind) && count == at) raise(SIGKILL);
}

/* Returns how much of a write still fits on the disk. */
static ssize_t fits(size_t size) {
    if (mode != FULL) return (ssize_t) size;
    if (budget <= 0) { fired++; errno = ENOSPC; return -1; }
    if ((long) size > budget) { size = (size_t) budget; fired++; }
    budget -= (long) size;
    return (ssize_t) size;
}

static int opened(int fd, const char *path) {
    if (fd < 0 || fd >= 4096) return fd;
    free(names[fd]);
    names[fd] = NULL;
    char *whole = path[0] == '/' ? strdup(path) : realpath(path, NULL);
    if (whole && folder[0] && strncmp(whole, folder, strlen(folder)) == 0) names[fd] = whole;
    else free(whole);
    return fd;
}

static int is_below(const char *path) {
    if (!folder[0]) return 0;
    if (path[0] == '/') return strncmp(path, folder, strlen(folder)) == 0;
    char here[4096];
    return getcwd(here, sizeof here) && strncmp(here, folder, strlen(folder)) == 0;
}

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        va_list list; va_start(list, flags); int permissions = va_arg(list, int); va_end(list); \
        if (is_below(path) && (flags & (O_RDWR | O_WRONLY)) && strikes(OPENS)) return -1; \
        int fd = opened(REAL(name)(path, flags, permissions), path); \
        if (path_of(fd) && (flags & (O_RDWR | O_WRONLY))) survives(OPENS); \
        return fd; }
OPEN(open)
OPEN(open64)

int close(int fd) {
    if (fd >= 0 && fd < 4096 && names[fd]) { free(names[fd]); names[fd] = NULL; }
    return REAL(close)(fd);
}

static ssize_t put(int fd, const void *data, size_t size, off64_t offset, int has_offset) {
    const char *path = path_of(fd);
    /* A line that was said on standard error is acknowledged. */
    if (fd == 2 && folder[0] && size && ((const char *) data)[size - 1] == '\n') note('a', "", 0, NULL, 0);
    if (!path) return has_offset ? REAL(pwrite64)(fd, data, size, offset) : REAL(write)(fd, data, size);
    if (strikes(WRITES)) return -1;
    ssize_t length = fits(size);
    if (length < 0) return -1;
    if (!has_offset) offset = lseek(fd, 0, SEEK_CUR);
    ssize_t done = has_offset ? REAL(pwrite64)(fd, data, length, offset) : REAL(write)(fd, data, length);
    if (done > 0) note('w', path, offset, data, done);
    survives(WRITES);
    return done;
}

ssize_t write(int fd, const void *data, size_t size) { return put(fd, data, size, 0, 0); }
ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) { return put(fd, data, size, offset, 1); }
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) { return put(fd, data, size, offset, 1); }

#define READ(name, parameters, arguments) \
    ssize_t name parameters { \
        if (path_of(fd) && strikes(READS)) return -1; \
        return REAL(name) arguments; }
READ(read, (int fd, void *data, size_t size), (fd, data, size))
READ(pread, (int fd, void *data, size_t size, off_t offset), (fd, data, size, offset))
READ(pread64, (int fd, void *data, size_t size, off64_t offset), (fd, data, size, offset))

#define SYNC(name) \
    int name(int fd) { \
        const char *path = path_of(fd); \
        if (path && strikes(SYNCS)) return -1; \
        int result = REAL(name)(fd); \
        if (path) { note('s', path, 0, NULL, 0); survives(SYNCS); } \
        return result; }
SYNC(fsync)
SYNC(fdatasync)

#define TRUNCATE(name, type) \
    int name(int fd, type size) { \
        const char *path = path_of(fd); \
        if (path && strikes(TRUNCATES)) return -1; \
        int result = REAL(name)(fd, size); \
        if (path && !result) { note('t', path, size, NULL, 0); survives(TRUNCATES); } \
        return result; }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

int unlink(const char *path) {
    int mine = is_below(path);
    if (mine && strikes(UNLINKS)) return -1;
    int result = REAL(unlink)(path);
    if (mine && !result) {
        char *whole = path[0] == '/' ? strdup(path) : NULL;
        if (whole) note('u', whole, 0, NULL, 0);
        free(whole);
        survives(UNLINKS);
    }
    return result;
}
