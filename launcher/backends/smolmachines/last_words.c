/*
 * See machine.h: what is known of a machine whose VMM has ended. How it ended, where it came to us as an orphan of the engine's, and the last line
 * of what was last written to a log of it. A guest may have written that: it is cut short, and only what is printable of it is shown.
 */
#include <fcntl.h>
#include <fts.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../support/cleanup.h"
#include "../../support/process.h"
#include "../../smolvm/json.h"
#include "machine.h"

#define TAIL    4096
#define LINE    57
#define ENDS    ".log"
#define DENIALS "egress-denials.log" /* what the policy refused: tells nothing of an end */

static bool is_log(const FTSENT *entry)
{
    const char *end = strrchr(entry->fts_name, '.');
    return entry->fts_info == FTS_F && end != NULL && strcmp(end, ENDS) == 0 && strcmp(entry->fts_name, DENIALS) != 0 &&
           entry->fts_statp->st_size > 0;
}

/* The path of the log that was written to last; "" if there is none. */
static void find_log(const struct bottle *bottle, char path[PATH_MAX])
{
    char *const roots[] = { (char *)bottle->directory, NULL };
    struct timespec newest = { 0 };
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
    *path = '\0';
    for (FTSENT *entry; walk != NULL && (entry = fts_read(walk)) != NULL;) {
        if (!is_log(entry))
            continue;
        const struct timespec *at = &entry->fts_statp->st_mtim;
        if (at->tv_sec > newest.tv_sec || (at->tv_sec == newest.tv_sec && at->tv_nsec > newest.tv_nsec)) {
            newest = *at;
            snprintf(path, PATH_MAX, "%s", entry->fts_path);
        }
    }
    if (walk != NULL)
        fts_close(walk);
}

/* The guest's agent writes {"fields":{"message":"..."}}, and as it boots {"message":"..."} (smolvm 1.4.0). */
static void show_message(const char *text, char line[LINE])
{
    cleanup_json cJSON *told = smolvm_json_parse(text, strlen(text));
    const cJSON *fields = smolvm_json_field(told, "fields");
    if (!smolvm_json_show(smolvm_json_field(fields != NULL ? fields : told, "message"), line, LINE))
        snprintf(line, LINE, "%.*s", LINE - 1, text);
}

static void read_last_line(const char *path, char line[LINE])
{
    char text[TAIL], last[TAIL];
    cleanup_close int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    off_t size = file >= 0 ? lseek(file, 0, SEEK_END) : -1;
    ssize_t got = size > 0 ? pread(file, text, sizeof text, size > TAIL ? size - TAIL : 0) : 0;
    *line = '\0';
    if (got > 0)
        smolvm_last_line(text, (size_t)got, last, sizeof last), show_message(last, line);
}

/* False if its VMM lives, or which one it was isn't known. */
static bool has_ended(const struct bottle *bottle)
{
    struct pollfd ended = { .fd = bottle->monitor_handle, .events = POLLIN };
    return bottle->monitor_handle >= 0 && poll(&ended, 1, 0) == 1;
}

void machine_last_words(const struct bottle *bottle, char text[MACHINE_LAST_WORDS])
{
    siginfo_t how = { 0 };
    char path[PATH_MAX], line[LINE] = "", end[40] = "";
    *text = '\0';
    if (!has_ended(bottle))
        return;
    if (waitid(P_PID, (id_t)bottle->monitor, &how, WEXITED | WNOHANG | WNOWAIT) == 0 && how.si_pid == bottle->monitor)
        snprintf(end, sizeof end, " by %s %d", how.si_code == CLD_EXITED ? "exit status" : "signal", how.si_status);
    find_log(bottle, path);
    if (*path != '\0')
        read_last_line(path, line);
    const char *name = strrchr(path, '/');
    if (name != NULL && *line != '\0')
        snprintf(text, MACHINE_LAST_WORDS, " (its VMM ended%s; %.32s ends with \"%s\")", end, name + 1, line);
    else if (*end != '\0')
        snprintf(text, MACHINE_LAST_WORDS, " (its VMM ended%s)", end);
}
