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

/* On the machine itself; what comes to the world from elsewhere than a cable's own noise is unexplained there, too. */
Test(hearing, leaves_to_a_machine_what_is_its_own)
{
    static const struct {
        const char *point, *at;
        bool counts;
    } rows[] = {
        { "lo", "127.0.0.1:5432", false },     { "host", "198.18.7.2:22", false },
        { "wan0", "224.0.0.251:5353", false }, { "wan0", "[ff02::fb]:5353", false },
        { "wan0", "ff02::16", false },         { "wan0", "255.255.255.255:67", false },
        { "wan0", "10.77.0.255:137", false },  { "wan0", "223.255.255.255:9", true },
        { "wan0", "10.77.0.33:80", true },     { "wan0", "[2001:db8::1]:443", true },
        { "wan0", "[fd77::ff]:80", true },     { "wan0", "", true },
    };
    static const struct machine machine;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct witness_message message = { .event = WITNESS_STRAY, .text = "2 packet(s)" };
        strcpy(message.point, rows[i].point);
        strcpy(message.at, rows[i].at);
        options.machine = &machine;
        take(message);
        cr_expect_eq(result.strays, rows[i].counts, "%s on %s", rows[i].at, rows[i].point);
        options.machine = NULL;
        take(message);
        cr_expect_eq(result.strays, 1, "%s on %s in a sealed site", rows[i].at, rows[i].point);
    }
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
