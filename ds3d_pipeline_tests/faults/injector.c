/* Counts what programs do to the files under one folder, and at the n-th of it kills the process group or makes
   the disk full from then on. Loaded by LD_PRELOAD; injector.py says what the variables mean. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static _Atomic int64_t *count;
static const char *under, *part;
static int64_t at;
static int full; /* 1: writes are counted and then fail; 0: changes of names are counted and then kill */

__attribute__((constructor)) static void begin(void) {
    under = getenv("FAULT_UNDER");
    const char *file = getenv("FAULT_COUNT"), *number = getenv("FAULT_AT"), *kind = getenv("FAULT_KIND");
    if (!under || !file || !number || !kind) { under = NULL; return; }
    part = getenv("FAULT_PART");
    at = atoll(number);
    full = strcmp(kind, "full") == 0;
    int fd = open(file, O_RDWR);
    if (fd < 0) { under = NULL; return; }
    void *page = mmap(NULL, 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (page == MAP_FAILED) under = NULL; else count = page;
}

static int is_under(const char *path) {
    return strncmp(path, under, strlen(under)) == 0 && (!part || strstr(path, part));
}

static int concerns(int folder, const char *path) {
    char text[PATH_MAX], link[64];
    if (!under || !path) return 0;
    if (path[0] == '/') return is_under(path);
    if (folder == AT_FDCWD) return getcwd(text, sizeof text) && is_under(text);
    snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    ssize_t n = readlink(link, text, sizeof text - 1);
    if (n < 0) return 0;
    text[n] = 0;
    return is_under(text);
}

/* 1 where the call has to fail. */
static int strike(void) {
    int64_t now = ++*count;
    if (full) {
        if (at && now >= at) { errno = ENOSPC; return 1; }
    } else if (at && now == at) {
        kill(0, SIGKILL);
    }
    return 0;
}

static int named(int folder, const char *path) { return !full && concerns(folder, path) && strike(); }
static int grown(int folder, const char *path) { return full && concerns(folder, path) && strike(); }
static int written(int fd) { return full && concerns(fd, "") && strike(); }

#define NEXT(type, name, ...) type (*next)(__VA_ARGS__) = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

int rename(const char *a, const char *b) {
    NEXT(int, rename, const char *, const char *);
    return named(AT_FDCWD, b) ? -1 : next(a, b);
}
int renameat(int d, const char *a, int e, const char *b) {
    NEXT(int, renameat, int, const char *, int, const char *);
    return named(e, b) ? -1 : next(d, a, e, b);
}
int link(const char *a, const char *b) {
    NEXT(int, link, const char *, const char *);
    return named(AT_FDCWD, b) || grown(AT_FDCWD, b) ? -1 : next(a, b);
}
int linkat(int d, const char *a, int e, const char *b, int flags) {
    NEXT(int, linkat, int, const char *, int, const char *, int);
    return named(e, b) || grown(e, b) ? -1 : next(d, a, e, b, flags);
}
int unlink(const char *a) {
    NEXT(int, unlink, const char *);
    return named(AT_FDCWD, a) ? -1 : next(a);
}
int unlinkat(int d, const char *a, int flags) {
    NEXT(int, unlinkat, int, const char *, int);
    return named(d, a) ? -1 : next(d, a, flags);
}
int rmdir(const char *a) {
    NEXT(int, rmdir, const char *);
    return named(AT_FDCWD, a) ? -1 : next(a);
}
int mkdir(const char *a, mode_t mode) {
    NEXT(int, mkdir, const char *, mode_t);
    return named(AT_FDCWD, a) || grown(AT_FDCWD, a) ? -1 : next(a, mode);
}

#define OPEN(name)                                                                       \
    int name(const char *a, int flags, ...) {                                            \
        NEXT(int, name, const char *, int, ...);                                         \
        mode_t mode = 0;                                                                 \
        if (flags & (O_CREAT | O_TMPFILE)) {                                             \
            va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); \
        }                                                                                \
        if ((flags & O_CREAT) && access(a, F_OK) && grown(AT_FDCWD, a)) return -1;       \
        return next(a, flags, mode);                                                     \
    }
OPEN(open)
OPEN(open64)

ssize_t write(int fd, const void *data, size_t n) {
    NEXT(ssize_t, write, int, const void *, size_t);
    return written(fd) ? -1 : next(fd, data, n);
}
ssize_t writev(int fd, const struct iovec *parts, int n) {
    NEXT(ssize_t, writev, int, const struct iovec *, int);
    return written(fd) ? -1 : next(fd, parts, n);
}
ssize_t pwrite(int fd, const void *data, size_t n, off_t offset) {
    NEXT(ssize_t, pwrite, int, const void *, size_t, off_t);
    return written(fd) ? -1 : next(fd, data, n, offset);
}
ssize_t pwrite64(int fd, const void *data, size_t n, off64_t offset) {
    NEXT(ssize_t, pwrite64, int, const void *, size_t, off64_t);
    return written(fd) ? -1 : next(fd, data, n, offset);
}
ssize_t sendfile(int to, int from, off_t *offset, size_t n) {
    NEXT(ssize_t, sendfile, int, int, off_t *, size_t);
    return written(to) ? -1 : next(to, from, offset, n);
}
ssize_t sendfile64(int to, int from, off64_t *offset, size_t n) {
    NEXT(ssize_t, sendfile64, int, int, off64_t *, size_t);
    return written(to) ? -1 : next(to, from, offset, n);
}
ssize_t copy_file_range(int from, off64_t *a, int to, off64_t *b, size_t n, unsigned flags) {
    NEXT(ssize_t, copy_file_range, int, off64_t *, int, off64_t *, size_t, unsigned);
    return written(to) ? -1 : next(from, a, to, b, n, flags);
}
