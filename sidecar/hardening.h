/*
 * Rights that the running daemon gives up, so that whoever takes it over does
 * not have them. To be used by the main thread before others are started.
 */
#ifndef SIDECAR_HARDENING_H
#define SIDECAR_HARDENING_H

#include <stdbool.h>

/*
 * Empties the bounding set of capabilities, so that no program started later
 * gains one. As root, before the user is changed; logs what fails.
 */
void hardening_bound_capabilities(void);

/*
 * Empties all sets of capabilities that the change of the user may have left.
 * Returns 0, or -1 with errno set.
 */
int hardening_clear_capabilities(void) __attribute__((warn_unused_result));

/*
 * No new privileges, and the filter of system calls, for this thread, all
 * later ones and all programs that replace this one. replaced: this program
 * has taken the place of one of ours, whose filter is in force. Where the
 * kernel has no filters this is logged, and nothing else happens.
 */
void hardening_restrict(bool replaced);

#endif
