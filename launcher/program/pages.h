/*
 * What is made of a program's tables for others to read: manual pages and completion scripts. Each writer is a pure function
 * of the tables; gates/pages_main.c calls them when the project is built.
 */
#ifndef LAUNCHER_PROGRAM_PAGES_H
#define LAUNCHER_PROGRAM_PAGES_H

#include "program.h"

/* Manual pages in the language of scdoc(5). */
void manual_write_program(const struct program *program, FILE *stream);
void manual_write_command(const struct program *program, const struct command *command, FILE *stream);

/* Completion scripts. */
void completion_write_bash(const struct program *program, FILE *stream);
void completion_write_zsh(const struct program *program, FILE *stream);
void completion_write_fish(const struct program *program, FILE *stream);

/* Writes the words that are known for an option's value, or in an operand's place, with `between` between them. They are of
 * letters, digits and dashes, so no shell needs them quoted. Returns how many. */
size_t words_write_option(const struct command_option *option, const char *between, FILE *stream);
size_t words_write_operand(const struct program *program, const struct command_operand *operand, const char *between,
                           FILE *stream);

/* `text` in single quotes of a shell, those in it written as `quote`; every byte of `escaped` gets a backslash. */
void words_write_quoted(const char *text, const char *quote, const char *escaped, FILE *stream);

/* The name of a function for `program`: "bottle_gate". */
void words_function_name(const struct program *program, char name[32]);

/* The command that prints the names of the bottles that live, a line each. */
#define WORDS_BOTTLES "bottle list 2>/dev/null | sed '1d;s/ .*//'"

#endif
