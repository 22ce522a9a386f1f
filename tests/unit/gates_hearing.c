/* What the witnesses tell a phase is written down with its place. */
#include <criterion/criterion.h>
#include <string.h>

#include "../../gates/hearing.h"
#include "../../gates/phase.h"

static struct phase_result result;
static const char *const own_traffic[] = { "[2001:db8::6]:443", NULL };
static const struct backend backend = { .own_traffic = own_traffic }, plain;
static struct phase_options options = { .backend = &backend };
static struct hearing hearing = { .options = &options, .result = &result, .running = true };

static void take(struct witness_message message)
{
    memset(&result, 0, sizeof result);
    cr_assert(hearing_take_message(&hearing, &message));
}

Test(hearing, says_where_unexplained_traffic_went)
{
    take((struct witness_message){
        .event = WITNESS_STRAY, .text = "4 TCP packet(s) over IPv6", .at = "[2001:db8::1]:443", .point = "wan0" });
    cr_expect_str_eq(result.stray_text, "4 TCP packet(s) over IPv6 to [2001:db8::1]:443 on wan0");
    cr_expect_eq(result.strays, 1);
    take((struct witness_message){ .event = WITNESS_STRAY, .text = "7 more flow(s)", .point = "wan0" });
    cr_expect_str_eq(result.stray_text, "7 more flow(s)");
}

Test(hearing, knows_what_the_engine_itself_sends)
{
    take((struct witness_message){ .event = WITNESS_STRAY, .text = "4 TCP packet(s)", .at = "[2001:db8::6]:443" });
    cr_expect_eq(result.strays, 0);
    take((struct witness_message){ .event = WITNESS_STRAY, .text = "4 TCP packet(s)", .at = "[2001:db8::6]:44" });
    cr_expect_eq(result.strays, 1);
    options.backend = &plain;
    take((struct witness_message){ .event = WITNESS_STRAY, .text = "4 TCP packet(s)", .at = "[2001:db8::6]:443" });
    cr_expect_eq(result.strays, 1);
}

Test(hearing, cuts_what_is_too_long_and_never_runs_over)
{
    struct witness_message message = { .event = WITNESS_STRAY };
    memset(message.text, 't', sizeof message.text - 1);
    memset(message.at, 'a', sizeof message.at - 1);
    memset(message.point, 'p', sizeof message.point - 1);
    take(message);
    cr_expect(strlen(result.stray_text) < sizeof result.stray_text);
}

Test(hearing, takes_the_first_of_several)
{
    take((struct witness_message){ .event = WITNESS_STRAY, .text = "one" });
    hearing_take_message(&hearing, &(struct witness_message){ .event = WITNESS_STRAY, .text = "another" });
    cr_expect_str_eq(result.stray_text, "one");
    cr_expect_eq(result.strays, 2);
}

Test(hearing, notes_that_a_witness_broke_as_it_was_asked_to)
{
    take((struct witness_message){ .event = WITNESS_BROKE });
    cr_expect(hearing.broke);
    cr_expect_not(result.broken);
}
