/*
 * Runs a target over its committed corpus, without libFuzzer: any compiler and
 * sanitizer will do. Prints TAP, one test for the whole corpus, with the name
 * of each input that does not hold; the rest of them are run all the same.
 * The corpus is that of the program's name: fuzz_NAME reads corpus/NAME.
 */
#include <dirent.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fuzz.h"

#ifndef FUZZ_FOLDER
#define FUZZ_FOLDER "tests/fuzz"
#endif

enum {
    INPUT_BYTES_MAX = 1 << 20,
    HANG_SECONDS = 300 /* for the rest of a corpus; sanitizers are slow */
};

static char *
read_input(const char *folder, const char *name, size_t *len)
{
    char path[4096];
    char *data = malloc(INPUT_BYTES_MAX);
    FILE *stream;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    stream = fopen(path, "r");
    if (data == NULL || stream == NULL) {
        perror(path);
        exit(2);
    }
    *len = fread(data, 1, INPUT_BYTES_MAX, stream);
    fclose(stream);
    return data;
}

/* In a child: runs the inputs from *at on, and leaves there how far it came. */
static void
run_from(const char *folder, struct dirent **inputs, int count,
         volatile int *at)
{
    alarm(HANG_SECONDS);
    for (; *at < count; (*at)++) {
        size_t len;
        char *data = read_input(folder, inputs[*at]->d_name, &len);
        void *exact = fuzz_copy(data, len);

        LLVMFuzzerTestOneInput(exact, len);
        free(exact);
        free(data);
    }
}

static int
is_input(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* Returns how many inputs did not hold. */
static int
run_all(const char *folder, struct dirent **inputs, int count)
{
    volatile int *at = mmap(NULL, sizeof(*at), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int failed = 0;

    if (at == MAP_FAILED) {
        perror("mmap");
        exit(2);
    }
    for (*at = 0; *at < count; (*at)++) {
        pid_t pid = fork();
        int status = 0;

        if (pid == 0) {
            run_from(folder, inputs, count, at);
            exit(0); /* here leaks are looked for */
        }
        if (pid < 0 || waitpid(pid, &status, 0) != pid) {
            perror("fork");
            exit(2);
        }
        if (status == 0) {
            break;
        }
        failed++;
        printf("# status %#x at %s/%s\n", status, folder,
               *at < count ? inputs[*at]->d_name : "(at the end: a leak)");
    }
    return failed;
}

int
main(int argc, char **argv)
{
    const char *slash = strrchr(argv[0], '/');
    const char *name = slash != NULL ? slash + 1 : argv[0];
    struct dirent **inputs = NULL;
    char folder[1024];
    int count;
    int failed;

    (void)argc;
    setvbuf(stdout, NULL, _IONBF, 0);
    snprintf(folder, sizeof(folder), "%s/corpus/%s", FUZZ_FOLDER,
             name + strlen("fuzz_"));
    count = scandir(folder, &inputs, is_input, alphasort);
    failed = count > 0 ? run_all(folder, inputs, count) : 0;
    for (int i = 0; i < count; i++) {
        free(inputs[i]);
    }
    free(inputs);
    printf("%s 1 - %s: %d inputs, %d of them do not hold\n1..1\n",
           count > 0 && failed == 0 ? "ok" : "not ok", name, count, failed);
    return count > 0 && failed == 0 ? 0 : 1;
}
