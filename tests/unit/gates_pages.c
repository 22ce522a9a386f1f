/* What is made of the tables says all that is in them: every option of every command is in its help, its manual page and each
 * shell's completion, and words that a shell would take for something else are quoted. */
#include <ctype.h>
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "../../gates/commands/command.h"
#include "../../launcher/commands/command.h"
#include "../../launcher/program/pages.h"

static const struct program *const programs[] = { &bottle_program, &gate_program };

/* The text that `write` writes; backslashes are left out where they only escape. */
static char *text_of(void (*write)(const struct program *, FILE *), const struct program *program)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    write(program, stream);
    fclose(stream);
    return text;
}

static char *page_of(const struct program *program, const struct command *command)
{
    char *text = NULL, *to;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    manual_write_command(program, command, stream);
    fclose(stream);
    to = text;
    for (const char *from = text; *from != '\0'; from++)
        if (*from != '\\')
            *to++ = *from;
    *to = '\0';
    return text;
}

Test(pages, every_option_of_every_command_is_in_its_page_and_in_each_completion)
{
    for (size_t p = 0; p < 2; p++) {
        char *bash = text_of(completion_write_bash, programs[p]), *zsh = text_of(completion_write_zsh, programs[p]);
        char *fish = text_of(completion_write_fish, programs[p]), *manual = text_of(manual_write_program, programs[p]);
        for (const struct command *const *at = programs[p]->commands; *at != NULL; at++) {
            char *page = page_of(programs[p], *at), wanted[128];
            cr_expect_str_eq((*at)->program, programs[p]->name);
            cr_expect_not_null(strstr(page, (*at)->description));
            cr_expect_not_null(strstr(bash, (*at)->name));
            cr_expect_not_null(strstr(zsh, (*at)->name));
            cr_expect_not_null(strstr(manual, (*at)->name));
            for (size_t i = 0; i < (*at)->option_count; i++) {
                const struct command_option *option = &(*at)->options[i];
                const char *equals = option->argument != NULL ? "=" : "";
                snprintf(wanted, sizeof wanted, "*--%s*%s", option->name, equals);
                cr_expect_not_null(strstr(page, wanted), "%s %s", (*at)->name, wanted);
                cr_expect_not_null(strstr(page, option->help), "%s %s", (*at)->name, option->help);
                snprintf(wanted, sizeof wanted, "--%s%s ", option->name, equals);
                cr_expect_not_null(strstr(bash, wanted), "%s %s", (*at)->name, wanted);
                snprintf(wanted, sizeof wanted, "--%s%s%s", option->name, equals, option->letter != 0 ? "}" : "[");
                cr_expect_not_null(strstr(zsh, wanted), "%s %s", (*at)->name, wanted);
                snprintf(wanted, sizeof wanted, "\"%s * 0\"", (*at)->name);
                cr_expect_not_null(strstr(fish, wanted), "%s", wanted);
                snprintf(wanted, sizeof wanted, " -l %s ", option->name);
                cr_expect_not_null(strstr(fish, wanted), "%s %s", (*at)->name, wanted);
            }
            for (const struct text_row *row = (*at)->statuses; row != NULL && row->name != NULL; row++)
                cr_expect(strstr(page, row->name) != NULL && strstr(page, row->text) != NULL, "%s", row->text);
            free(page);
        }
        free(bash), free(zsh), free(fish), free(manual);
    }
}

/* The words go unquoted into three shells. */
static void check_words(const char *text)
{
    for (const char *word = text; *word != '\0'; word++)
        cr_expect(isalnum((unsigned char)*word) || *word == '-' || *word == ' ', "%s", text);
}

Test(pages, words_that_are_offered_need_no_quotes_and_tables_are_whole)
{
    for (size_t p = 0; p < 2; p++)
        for (const struct command *const *at = programs[p]->commands; *at != NULL; at++) {
            const struct command *command = *at;
            cr_expect(command->run != NULL || strcmp(command->name, "help") == 0);
            cr_expect(command->option_count <= 64 && command->summary != NULL && command->description != NULL);
            for (size_t i = 0; i < command->option_count + command->operand_count; i++) {
                char *text = NULL;
                size_t size = 0;
                FILE *stream = open_memstream(&text, &size);
                if (i < command->option_count) {
                    cr_expect(command->options[i].take != NULL && command->options[i].help != NULL);
                    cr_expect(!command->options[i].list || command->options[i].word_at != NULL);
                    words_write_option(&command->options[i], " ", stream);
                } else {
                    words_write_operand(programs[p], &command->operands[i - command->option_count], " ", stream);
                }
                fclose(stream);
                check_words(text);
                free(text);
            }
        }
}

static bool take_nothing(void *settings, const char *argument, struct error *error)
{
    (void)settings, (void)argument, (void)error;
    return true;
}

Test(pages, text_that_a_shell_or_scdoc_would_take_for_something_else_is_quoted)
{
    static const struct command_option odd[] = {
        { .name = "odd", .argument = "A:B", .help = "it's [*] \\ $HOME `x` _y_ \"z\": #1", .take = take_nothing },
    };
    static const struct command command = {
        .program = "odd-one", .name = "do", .summary = "it's: do", .description = "x", .options = odd, .option_count = 1
    };
    static const struct command *const commands[] = { &command, NULL };
    static const struct program program = {
        .name = "odd-one", .summary = "x", .description = "x", .commands = commands, .see_also = ""
    };
    char *zsh = text_of(completion_write_zsh, &program), *fish = text_of(completion_write_fish, &program);
    char *bash = text_of(completion_write_bash, &program), *page = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&page, &size);
    manual_write_command(&program, &command, stream);
    fclose(stream);
    cr_expect_not_null(strstr(zsh, "[it'\\''s \\[*\\] \\\\ $HOME `x` _y_ \"z\"\\: #1]:A\\:B:"), "%s", zsh);
    cr_expect_not_null(strstr(fish, "-d 'it\\'s [*] \\\\ $HOME `x` _y_ \"z\": #1'"), "%s", fish);
    cr_expect(strstr(bash, "_odd_one()") != NULL && strstr(bash, "complete -F _odd_one odd-one") != NULL);
    cr_expect_not_null(strstr(page, "it\\'s \\[\\*\\] \\\\ \\$HOME \\`x\\` \\_y\\_ \\\"z\\\"\\: \\#1"), "%s", page);
    free(zsh), free(fish), free(bash), free(page);
}
