// Preloaded before libfaketime, whose own clock_nanosleep fails under Python 3.11: a sleep takes no notice of the date.
#define _GNU_SOURCE
#include <errno.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *request, struct timespec *rest) {
    int before = errno;
    int failed = syscall(SYS_clock_nanosleep, clock, flags, request, rest) == 0 ? 0 : errno;
    errno = before;
    return failed;
}
