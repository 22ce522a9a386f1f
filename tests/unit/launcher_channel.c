/* What a helper process said last is heard, whatever it left unread. */
#include <criterion/criterion.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../launcher/support/channel.h"
#include "../../launcher/support/process.h"

#define PATIENCE 10000000u

/* A helper that ends without having read the `unread` messages that were sent to it, and says why or nothing. */
static enum channel_result hear(int unread, bool says, struct error *error)
{
    int ends[2];
    const struct channel_message message = { .kind = 1 };
    cr_assert(channel_open(ends, error), "%s", error->text);
    for (int i = 0; i < unread; i++)
        cr_assert(channel_send(ends[0], &message, -1));
    pid_t pid = fork();
    if (pid == 0) {
        struct error why = { 0 };
        close(ends[0]);
        error_set(&why, ERROR_HOST, "the reason");
        if (says)
            channel_fail(ends[1], &why);
        _exit(1);
    }
    close(ends[1]);
    cr_assert_eq(waitpid(pid, NULL, 0), pid);
    struct channel_message heard = { .kind = -1 };
    enum channel_result result = channel_receive(ends[0], &heard, NULL, clock_microseconds() + PATIENCE, error);
    close(ends[0]);
    return result;
}

Test(channel, what_a_helper_said_last_is_heard_whatever_it_left_unread)
{
    for (int unread = 0; unread < 3; unread++) {
        struct error error = { 0 };
        cr_expect_eq(hear(unread, true, &error), CHANNEL_FAILED, "%d unread", unread);
        cr_expect(error.code == ERROR_HOST && strcmp(error.text, "the reason") == 0, "%d unread: %s", unread,
                  error.text);
    }
}

Test(channel, a_helper_that_says_nothing_has_closed_it)
{
    for (int unread = 0; unread < 3; unread++) {
        struct error error = { 0 };
        cr_expect_eq(hear(unread, false, &error), CHANNEL_CLOSED, "%d unread", unread);
    }
}
