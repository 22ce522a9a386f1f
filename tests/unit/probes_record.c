/* The record grammar: what the probe writes can be read again byte for byte, and nothing else can be read. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../../probes/record_grammar.h"

#define RUN     "00112233445566778899aabbccddeeff"
#define DIGEST  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define BOOT_ID "01234567-89ab-cdef-0123-456789abcdef"

Test(record, is_written_again_as_it_was_read)
{
    static const char *const lines[] = {
        "BG1 hello " RUN " 514 0 6.18.44-fc-v595 " BOOT_ID " " DIGEST,
        "BG1 hello " RUN " 0 4294967295 - - -",
        "BG1 hello " RUN " 1 65534 a._+~-Z9 - " DIGEST,
        "BG1 try 0 door root",
        "BG1 try 1 BG-001 user",
        "BG1 try 513 BG-999 root",
        "BG1 did 0 answered - 38 70 1234 " DIGEST,
        "BG1 did 1 target ENXIO 0 0 0 -",
        "BG1 did 2 socket EPROTONOSUPPORT 0 0 1 -",
        "BG1 did 3 connect ENETUNREACH 0 0 7 -",
        "BG1 did 4 send EPERM 0 0 7 -",
        "BG1 did 5 sent E4000 50 0 18446744073709551615 -",
        "BG1 did 513 deadline - 4294967295 4294967295 1500000 0",
        "BG1 bye 514 514 " DIGEST,
        "BG1 bye 0 0 " DIGEST,
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct record record;
        char line[RECORD_LINE_MAX], expected[RECORD_LINE_MAX];
        cr_assert(record_parse(lines[i], strlen(lines[i]), &record), "%s", lines[i]);
        snprintf(expected, sizeof expected, "%s\n", lines[i]);
        cr_assert_eq(record_format(&record, line), strlen(expected), "%s", lines[i]);
        cr_expect_arr_eq(line, expected, strlen(expected));
    }
}

Test(record, is_read_into_its_fields)
{
    struct record record;
    const char *line = "BG1 did 7 sent ECONNREFUSED 150 12 90001 0f";
    cr_assert(record_parse(line, strlen(line), &record));
    cr_expect_eq(record.kind, RECORD_DID);
    cr_expect_eq(record.did.seq, 7);
    cr_expect_eq(record.did.stage, STAGE_SENT);
    cr_expect_str_eq(record.did.error, "ECONNREFUSED");
    cr_expect_eq(record.did.sent, 150);
    cr_expect_eq(record.did.received, 12);
    cr_expect_eq(record.did.microseconds, 90001);
    cr_expect_str_eq(record.did.proof, "0f");
    line = "BG1 try 0 door user";
    cr_assert(record_parse(line, strlen(line), &record));
    cr_expect_eq(record.attempt.vector, RECORD_DOOR);
    cr_expect_not(record.attempt.root);
}

Test(record, of_any_other_form_is_refused)
{
    static const char *const refused[] = {
        "",
        " ",
        "BG1",
        "BG1 ",
        "BG1 hullo",
        "BG2 try 1 BG-001 user",
        "bg1 try 1 BG-001 user",
        "BG1 try 1 BG-001",
        "BG1 try 1 BG-001 user ",
        " BG1 try 1 BG-001 user",
        "BG1  try 1 BG-001 user",
        "BG1 try 1 BG-001 user x",
        "BG1 try 1 BG-001 user\r",
        "BG1 try 1 BG-001 user\n",
        "BG1 try\t1 BG-001 user",
        "BG1 try 01 BG-001 user",
        "BG1 try 514 BG-001 user",
        "BG1 try -1 BG-001 user",
        "BG1 try +1 BG-001 user",
        "BG1 try 1 BG-000 user",
        "BG1 try 1 BG-1 user",
        "BG1 try 1 DOOR user",
        "BG1 try 1 BG-001 admin",
        "BG1 try 1 BG-001 \xc3\xa4",
        "BG1 try 65537 BG-001 user",
        "BG1 try 18446744073709551617 BG-001 user",
        "BG1 did 1 sent - 0 0 0",
        "BG1 did 1 sent  0 0 0 -",
        "BG1 did 1 Sent - 0 0 0 -",
        "BG1 did 1 finished - 0 0 0 -",
        "BG1 did 1 sent EWHAT 0 0 0 -",
        "BG1 did 1 sent 13 0 0 0 -",
        "BG1 did 1 sent E13 0 0 0 -",
        "BG1 did 1 sent E04000 0 0 0 -",
        "BG1 did 1 sent E4096 0 0 0 -",
        "BG1 did 1 sent E 0 0 0 -",
        "BG1 did 1 sent - 4294967296 0 0 -",
        "BG1 did 1 sent - 0 4294967296 0 -",
        "BG1 did 1 sent - 0 0 18446744073709551616 -",
        "BG1 did 1 sent - 0 0 0 AB",
        "BG1 did 1 sent - 0 0 0 0g",
        "BG1 did 1 sent - 0 0 0 --",
        "BG1 did 1 sent - 0 0 0 " DIGEST "0",
        "BG1 did 514 sent - 0 0 0 -",
        "BG1 hello " RUN "0 1 0 k - -",
        "BG1 hello 0011 1 0 k - -",
        "BG1 hello " RUN " 515 0 k - -",
        "BG1 hello " RUN " 1 4294967296 k - -",
        "BG1 hello " RUN " 1 0 k/x - -",
        "BG1 hello " RUN " 1 0 k - " RUN,
        "BG1 hello " RUN " 1 0 k " RUN " -",
        "BG1 hello " RUN " 1 0 k 01234567-89AB-cdef-0123-456789abcdef -",
        "BG1 hello " RUN " 1 0 0123456789012345678901234567890123456789012345678901234567890123x - -",
        "BG1 bye 1 1 -",
        "BG1 bye 1 1 " RUN,
        "BG1 bye 515 1 " DIGEST,
        "BG1 bye 1 515 " DIGEST,
        "BG1 bye 1 " DIGEST,
    };
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct record record;
        cr_expect_not(record_parse(refused[i], strlen(refused[i]), &record), "\"%s\"", refused[i]);
    }
}

Test(record, with_a_nul_or_beyond_the_longest_line_is_refused)
{
    struct record record;
    char line[RECORD_LINE_MAX + 8];
    cr_expect_not(record_parse("BG1 try 1 BG-001 user\0", 22, &record));
    cr_expect_not(record_parse("BG1 try 1 BG-001 us\0r", 21, &record));
    memset(line, 'x', sizeof line);
    memcpy(line, "BG1 try 1 BG-001 user", 21);
    cr_expect_not(record_parse(line, sizeof line, &record));
    cr_expect(record_parse(line, 21, &record));
}

Test(record, is_not_written_with_a_field_that_could_not_be_read_again)
{
    char line[RECORD_LINE_MAX];
    struct record attempt = { .kind = RECORD_TRY, .attempt = { .seq = 1, .vector = 1000 } };
    cr_expect_eq(record_format(&attempt, line), 0);
    attempt.attempt.vector = 49;
    cr_expect_gt(record_format(&attempt, line), 0);
    attempt.attempt.seq = 514;
    cr_expect_eq(record_format(&attempt, line), 0);

    struct record did = { .kind = RECORD_DID, .did = { .seq = 1, .stage = STAGE_SENT, .error = "E PERM" } };
    cr_expect_eq(record_format(&did, line), 0);
    strcpy(did.did.error, "EPERM");
    cr_expect_gt(record_format(&did, line), 0);
    strcpy(did.did.proof, "XY");
    cr_expect_eq(record_format(&did, line), 0);
    strcpy(did.did.proof, "");
    did.did.stage = STAGES;
    cr_expect_eq(record_format(&did, line), 0);
}

Test(stages, have_names_of_their_own)
{
    static const char *const expected[STAGES] = {
        "target", "socket", "connect", "send", "sent", "answered", "deadline"
    };
    for (unsigned i = 0; i < STAGES; i++)
        cr_expect_str_eq(stage_name((enum stage)i), expected[i]);
}

Test(errno_names, name_every_value_in_one_way_that_fits_a_record)
{
    cr_expect_str_eq(errno_name(0), "");
    cr_expect_str_eq(errno_name(ENETUNREACH), "ENETUNREACH");
    cr_expect_str_eq(errno_name(EWOULDBLOCK), "EAGAIN");
    cr_expect_str_eq(errno_name(4000), "E4000");
    for (int number = 1; number < 4096; number++) {
        char name[32];
        snprintf(name, sizeof name, "%s", errno_name(number));
        cr_expect_lt(strlen(name), 16);
        cr_expect_eq(errno_value(name), number, "%s", name);
    }
    cr_expect_eq(errno_value(""), 0);
    cr_expect_eq(errno_value("EWHAT"), 0);
    cr_expect_eq(errno_value("eperm"), 0);
}

Test(errno_names, tell_a_missing_facility_from_a_refusal)
{
    static const char *const missing[] = { "EAFNOSUPPORT", "EPROTONOSUPPORT", "ESOCKTNOSUPPORT", "ENOSYS", "ENODEV" };
    static const char *const refusal[] = { "", "EPERM", "EACCES", "ENETUNREACH", "ENXIO", "EINVAL", "EOPNOTSUPP" };
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++)
        cr_expect(errno_is_unsupported(missing[i]), "%s", missing[i]);
    for (size_t i = 0; i < sizeof refusal / sizeof *refusal; i++)
        cr_expect_not(errno_is_unsupported(refusal[i]), "%s", refusal[i]);
}

Test(errno_names, tell_a_prober_that_ran_out_of_something_from_a_refusal)
{
    static const char *const starved[] = { "EMFILE", "ENFILE", "ENOMEM", "ENOBUFS", "EAGAIN" };
    static const char *const other[] = { "", "EPERM", "EACCES", "ENETUNREACH", "ETIMEDOUT", "EAFNOSUPPORT" };
    for (size_t i = 0; i < sizeof starved / sizeof *starved; i++)
        cr_expect(errno_is_starved(starved[i]) && errno_value(starved[i]) != 0, "%s", starved[i]);
    for (size_t i = 0; i < sizeof other / sizeof *other; i++)
        cr_expect_not(errno_is_starved(other[i]), "%s", other[i]);
}
