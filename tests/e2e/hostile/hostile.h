/*
 * What a hostile program of test_hostile.py is made of. It is linked into the real probe and acts in the fenced bottle
 * alone, before the probe's main (which goes on if act() returns), where a principal's attempts are to be made. With HOSTILE_ALONE it is a program of its own, for `bottle run`.
 */
#ifndef E2E_HOSTILE_H
#define E2E_HOSTILE_H

#include <signal.h>
#include <stdbool.h>
#include <unistd.h>

#include "../leaks/session.h"

static void act(void);

/* Whatever can be ignored is ignored, and the caller's session is left. */
static inline void become_stubborn(void)
{
    for (int number = 1; number < 65; number++)
        signal(number, SIG_IGN);
    setsid();
}

#ifdef HOSTILE_ALONE
int main(void)
{
    act();
    return 0;
}
#else
__attribute__((constructor)) static void act_in_the_fenced_bottle(void)
{
    if (makes_attempts_in_the_fenced_bottle())
        act();
}
#endif

#endif
