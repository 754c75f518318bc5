/*
 * The setters that the table of directives names, each a directive_set_fn, see
 * directives.h. Not thread-safe: the configuration is built by one thread.
 */
#ifndef SIDECAR_SETTERS_H
#define SIDECAR_SETTERS_H

#include "directives.h"

/* Puts a message with a name in it into *detail, and returns it. */
const char *setters_explain(char **detail, const char *before, const char *name,
                            const char *after);

const char *set_error_log(struct config *config,
                          struct location_config *location,
                          const struct directive *directive,
                          const struct statement *statement, char **detail);
const char *set_flag(struct config *config, struct location_config *location,
                     const struct directive *directive,
                     const struct statement *statement, char **detail);
const char *set_user(struct config *config, struct location_config *location,
                     const struct directive *directive,
                     const struct statement *statement, char **detail);
const char *set_gather_delay(struct config *config,
                             struct location_config *location,
                             const struct directive *directive,
                             const struct statement *statement, char **detail);
const char *set_gauges(struct config *config, struct location_config *location,
                       const struct directive *directive,
                       const struct statement *statement, char **detail);
const char *set_key(struct config *config, struct location_config *location,
                    const struct directive *directive,
                    const struct statement *statement, char **detail);
const char *set_list(struct config *config, struct location_config *location,
                     const struct directive *directive,
                     const struct statement *statement, char **detail);
const char *set_listen(struct config *config, struct location_config *location,
                       const struct directive *directive,
                       const struct statement *statement, char **detail);
const char *set_location(struct config *config,
                         struct location_config *location,
                         const struct directive *directive,
                         const struct statement *statement, char **detail);
const char *set_location_string(struct config *config,
                                struct location_config *location,
                                const struct directive *directive,
                                const struct statement *statement,
                                char **detail);
const char *set_nothing(struct config *config, struct location_config *location,
                        const struct directive *directive,
                        const struct statement *statement, char **detail);
const char *set_number(struct config *config, struct location_config *location,
                       const struct directive *directive,
                       const struct statement *statement, char **detail);
const char *set_origins(struct config *config, struct location_config *location,
                        const struct directive *directive,
                        const struct statement *statement, char **detail);
const char *set_output(struct config *config, struct location_config *location,
                       const struct directive *directive,
                       const struct statement *statement, char **detail);
const char *set_server(struct config *config, struct location_config *location,
                       const struct directive *directive,
                       const struct statement *statement, char **detail);
const char *set_string(struct config *config, struct location_config *location,
                       const struct directive *directive,
                       const struct statement *statement, char **detail);
const char *set_template(struct config *config,
                         struct location_config *location,
                         const struct directive *directive,
                         const struct statement *statement, char **detail);
const char *set_time(struct config *config, struct location_config *location,
                     const struct directive *directive,
                     const struct statement *statement, char **detail);
const char *set_track(struct config *config, struct location_config *location,
                      const struct directive *directive,
                      const struct statement *statement, char **detail);
const char *set_unknown(struct config *config, struct location_config *location,
                        const struct directive *directive,
                        const struct statement *statement, char **detail);
const char *set_worker_threads(struct config *config,
                               struct location_config *location,
                               const struct directive *directive,
                               const struct statement *statement,
                               char **detail);
const char *set_zone(struct config *config, struct location_config *location,
                     const struct directive *directive,
                     const struct statement *statement, char **detail);

#endif
