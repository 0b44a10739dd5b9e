// Preloaded: every file below SLOW_BELOW takes SLOW_MICROSECONDS more to open, as on a file system that is far away, and
// is counted in the file SLOW_COUNT, which all processes have in memory. What a program does by bare system calls, or by
// a path that does not begin at the root, passes unseen.
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static const char *below;
static size_t length;
static long microseconds;
static atomic_long *count;

__attribute__((constructor)) static void begin(void) {
    const char *delay = getenv("SLOW_MICROSECONDS"), *file = getenv("SLOW_COUNT");
    below = getenv("SLOW_BELOW");
    if (!below || !file) return;
    length = strlen(below);
    microseconds = delay ? atol(delay) : 0;
    int descriptor = (int)syscall(SYS_openat, AT_FDCWD, file, O_RDWR | O_CLOEXEC);
    if (descriptor < 0) return;
    void *shared = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    syscall(SYS_close, descriptor);
    if (shared != MAP_FAILED) count = shared;
}

static void meet(const char *path) {
    if (!count || !path || strncmp(path, below, length) || path[length] != '/') return;
    atomic_fetch_add(count, 1);
    struct timespec pause = {microseconds / 1000000, microseconds % 1000000 * 1000};
    if (microseconds) nanosleep(&pause, NULL);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define MODE \
    va_list rest; \
    va_start(rest, flags); \
    mode_t mode = va_arg(rest, mode_t); \
    va_end(rest)

int open(const char *path, int flags, ...) { MODE; meet(path); return REAL(open)(path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE; meet(path); return REAL(open64)(path, flags, mode); }
int openat(int from, const char *path, int flags, ...) { MODE; meet(path); return REAL(openat)(from, path, flags, mode); }
int openat64(int from, const char *path, int flags, ...) { MODE; meet(path); return REAL(openat64)(from, path, flags, mode); }
FILE *fopen(const char *path, const char *how) { meet(path); return REAL(fopen)(path, how); }
FILE *fopen64(const char *path, const char *how) { meet(path); return REAL(fopen64)(path, how); }
DIR *opendir(const char *path) { meet(path); return REAL(opendir)(path); }
void *dlopen(const char *path, int flags) { meet(path); return REAL(dlopen)(path, flags); }
