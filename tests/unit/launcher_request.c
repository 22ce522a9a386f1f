/* What a keeper is asked: what was written is read again, and anything else is refused. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../launcher/keeper/request.h"

static char bytes[REQUEST_SIZE + 1];

static struct request *make(enum request_kind kind, const char *first, const char *second)
{
    static struct request request;
    request = (struct request){ .kind = kind, .term = "" };
    if (first != NULL)
        request.words[request.word_count++] = (char *)first;
    if (second != NULL)
        request.words[request.word_count++] = (char *)second;
    return &request;
}

static size_t write_it(const struct request *request)
{
    struct error error = { 0 };
    size_t size = request_write(request, bytes, &error);
    cr_assert_gt(size, 0, "%s", error.text);
    return size;
}

Test(launcher_request, a_command_comes_out_as_it_went_in)
{
    static struct request got;
    struct error error = { 0 };
    struct request *asked = make(REQUEST_EXEC, "/bin/echo", "");
    asked->principal = REQUEST_DEFAULT_PRINCIPAL;
    asked->terminals = 5;
    asked->rows = 24;
    asked->columns = 65535;
    asked->term = "xterm-256color";
    size_t size = write_it(asked);
    cr_assert(request_read(bytes, size, 1, &got, &error), "%s", error.text);
    cr_expect_eq(got.kind, REQUEST_EXEC);
    cr_expect_eq(got.principal, REQUEST_DEFAULT_PRINCIPAL);
    cr_expect_eq(got.terminals, 5);
    cr_expect_eq(got.rows, 24);
    cr_expect_eq(got.columns, 65535);
    cr_expect_str_eq(got.term, "xterm-256color");
    cr_assert_eq(got.word_count, 2);
    cr_expect_str_eq(got.words[0], "/bin/echo");
    cr_expect_str_eq(got.words[1], "");
    cr_expect_null(got.words[2]);
}

Test(launcher_request, each_kind_says_how_many_descriptors_it_needs)
{
    static struct request got;
    static const struct {
        enum request_kind kind;
        const char *word;
        unsigned terminals;
        size_t descriptors;
    } rows[] = { { REQUEST_ASK, NULL, 0, 0 },    { REQUEST_STOP, NULL, 0, 0 },   { REQUEST_PUT, "file", 0, 1 },
                 { REQUEST_EXEC, "true", 0, 3 }, { REQUEST_EXEC, "true", 2, 2 }, { REQUEST_EXEC, "true", 7, 0 } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t given = 0; given <= 3; given++) {
            struct error error = { 0 };
            struct request *asked = make(rows[i].kind, rows[i].word, NULL);
            asked->terminals = rows[i].terminals;
            cr_expect_eq(request_read(bytes, write_it(asked), given, &got, &error), given == rows[i].descriptors,
                         "row %zu with %zu", i, given);
        }
}

/* One 32-bit number of a good request is changed. */
Test(launcher_request, a_number_out_of_range_is_refused)
{
    enum { MAGIC, VERSION, KIND, SIZE, PRINCIPAL, TERMINALS, ROWS, COLUMNS, MODE, WORDS };
    static struct request got;
    static const struct {
        enum request_kind kind;
        int field;
        uint32_t value;
    } rows[] = {
        { REQUEST_ASK, MAGIC, 0 },           { REQUEST_ASK, VERSION, 2 },    { REQUEST_ASK, KIND, REQUEST_KINDS },
        { REQUEST_ASK, KIND, ~0u },          { REQUEST_ASK, SIZE, 0 },       { REQUEST_ASK, SIZE, ~0u },
        { REQUEST_ASK, PRINCIPAL, 1 },       { REQUEST_ASK, MODE, 1 },       { REQUEST_ASK, WORDS, 1 },
        { REQUEST_EXEC, PRINCIPAL, 3 },      { REQUEST_EXEC, TERMINALS, 8 }, { REQUEST_EXEC, ROWS, 65536 },
        { REQUEST_EXEC, COLUMNS, ~0u },      { REQUEST_EXEC, MODE, 1 },      { REQUEST_EXEC, WORDS, 0 },
        { REQUEST_EXEC, WORDS, 1 },          { REQUEST_EXEC, WORDS, 3 },     { REQUEST_EXEC, WORDS, ~0u },
        { REQUEST_PUT, MODE, 01000 },        { REQUEST_PUT, WORDS, 2 },      { REQUEST_PUT, TERMINALS, 1 },
        { REQUEST_PUT, KIND, REQUEST_EXEC },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct error error = { 0 };
        struct request *asked =
            make(rows[i].kind, rows[i].kind == REQUEST_EXEC || rows[i].kind == REQUEST_PUT ? "word" : NULL, NULL);
        size_t size = write_it(asked), descriptors = request_descriptors(asked);
        cr_assert(request_read(bytes, size, descriptors, &got, &error), "row %zu: %s", i, error.text);
        memcpy(bytes + rows[i].field * 4, &rows[i].value, 4);
        cr_expect_not(request_read(bytes, size, descriptors, &got, &error), "row %zu", i);
        cr_expect_neq(error.code, ERROR_NONE);
    }
}

Test(launcher_request, half_of_one_or_more_than_one_is_refused)
{
    static struct request got;
    size_t size = write_it(make(REQUEST_EXEC, "/bin/true", "x"));
    for (size_t cut = 0; cut < size; cut++) {
        struct error error = { 0 };
        char *exact = malloc(cut + 1); /* so that a sanitizer sees who reads on */
        memcpy(exact, bytes, cut);
        cr_expect_not(request_read(exact, cut, 3, &got, &error), "%zu of %zu bytes", cut, size);
        free(exact);
    }
    struct error error = { 0 };
    bytes[size] = 'x';
    cr_expect_not(request_read(bytes, size + 1, 3, &got, &error));
    /* The size corrected, but a byte stands after the last word. */
    uint32_t longer = (uint32_t)size + 1;
    memcpy(bytes + 12, &longer, sizeof longer);
    memset(&error, 0, sizeof error);
    cr_expect_not(request_read(bytes, size + 1, 3, &got, &error));
    cr_expect_not_null(strstr(error.text, "after the last word"), "%s", error.text);
}

Test(launcher_request, another_version_is_told_from_junk)
{
    static struct request got;
    struct error error = { 0 };
    size_t size = write_it(make(REQUEST_ASK, NULL, NULL));
    bytes[4]++;
    cr_expect_not(request_read(bytes, size - 8, 0, &got, &error)); /* of another size, too */
    cr_expect_not_null(strstr(error.text, "another version"), "%s", error.text);
}

Test(launcher_request, a_terminals_name_and_a_commands_are_looked_at)
{
    static struct request got;
    static const char *const names[] = { "x y", "x=y", "x\n",
                                         "a-name-that-is-much-too-long-for-any-kind-of-terminal-that-there-ever-was" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct error error = { 0 };
        struct request *asked = make(REQUEST_EXEC, "true", NULL);
        asked->term = names[i];
        cr_expect_not(request_read(bytes, write_it(asked), 3, &got, &error), "%s", names[i]);
    }
    struct error error = { 0 };
    cr_expect_not(request_read(bytes, write_it(make(REQUEST_EXEC, "", NULL)), 3, &got, &error));
    memset(&error, 0, sizeof error);
    cr_expect_not(request_read(bytes, write_it(make(REQUEST_PUT, "", NULL)), 1, &got, &error));
}

Test(launcher_request, what_is_too_long_is_said_before_it_is_sent)
{
    static char word[REQUEST_SIZE];
    struct error error = { 0 };
    memset(word, 'a', sizeof word - 1);
    cr_expect_eq(request_write(make(REQUEST_EXEC, "/bin/echo", word), bytes, &error), 0);
    cr_expect_eq(error.code, ERROR_USAGE);
    word[REQUEST_SIZE - 100] = '\0';
    memset(&error, 0, sizeof error);
    cr_expect_gt(request_write(make(REQUEST_EXEC, "/bin/echo", word), bytes, &error), 0, "%s", error.text);
    struct request *asked = make(REQUEST_EXEC, NULL, NULL);
    for (; asked->word_count < REQUEST_WORDS; asked->word_count++)
        asked->words[asked->word_count] = "a";
    static struct request got;
    cr_expect(request_read(bytes, write_it(asked), 3, &got, &error), "%s", error.text);
    cr_expect_eq(got.word_count, REQUEST_WORDS);
    cr_expect_null(got.words[REQUEST_WORDS]);
}

Test(launcher_request, an_answer_that_makes_no_sense_is_refused_and_its_texts_end)
{
    struct error error = { 0 };
    struct reply reply = reply_make(REPLY_DONE);
    memset(reply.door_host, 'x', sizeof reply.door_host);
    cr_assert(reply_check(&reply, sizeof reply, &error), "%s", error.text);
    cr_expect_eq(strlen(reply.door_host), sizeof reply.door_host - 1);
    cr_expect_not(reply_check(&reply, sizeof reply - 1, NULL));
    const struct {
        uint32_t kind, principal, code;
    } rows[] = { { REPLY_KINDS, 0, 0 }, { REPLY_DONE, PRINCIPALS, 0 }, { REPLY_ERROR, 0, 99 }, { REPLY_ERROR, 0, 0 } };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        reply = reply_make((enum reply_kind)rows[i].kind);
        reply.principal = rows[i].principal;
        reply.error_code = rows[i].code;
        cr_expect_not(reply_check(&reply, sizeof reply, NULL), "row %zu", i);
    }
    reply = reply_make(REPLY_DONE);
    reply.version++;
    cr_expect_not(reply_check(&reply, sizeof reply, &error));
    cr_expect_not_null(strstr(error.text, "another version"), "%s", error.text);
}
