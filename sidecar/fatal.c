/* Logging what ends the daemon, by async-signal-safe functions alone. */
#include "fatal.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define REPORTED_BY_SANITIZER 1
#else
#define REPORTED_BY_SANITIZER 0
#endif

static const int fatal_signals[] = { SIGSEGV, SIGBUS, SIGILL,
                                     SIGFPE,  SIGSYS, SIGABRT };

static void
log_and_end(int number)
{
    const char *name = sigabbrev_np(number); /* a constant of a few letters */
    char text[64];
    char *end = stpcpy(text, "signal SIG");

    end = stpcpy(end, name != NULL ? name : "");
    stpcpy(end, ", the daemon ends");
    log_write_signal_safe(LOG_EMERG, text);
    /* SA_RESETHAND: the same again is not caught. */
    raise(number);
}

void
fatal_log_signals(void)
{
    struct sigaction action = { .sa_handler = log_and_end,
                                .sa_flags = (int)(SA_RESETHAND | SA_NODEFER) };

    for (size_t i = 0; !REPORTED_BY_SANITIZER &&
                       i < sizeof(fatal_signals) / sizeof(fatal_signals[0]);
         i++) {
        sigaction(fatal_signals[i], &action, NULL);
    }
}
