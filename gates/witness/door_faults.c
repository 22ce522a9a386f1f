/* See door_faults.h. Needs: epoll_ctl, close. */
#include "door_faults.h"

#include <string.h>

size_t door_faults_answer(struct door *door, const char question[DOOR_QUESTION], char answer[DOOR_ANSWER])
{
    static const char babble[] = "hello\n";
    bool first = door->answers++ == 0;
    switch (door->house->setup->fault) {
    case WITNESS_FAULT_DOOR_SILENT:
    case WITNESS_FAULT_DOOR_SHUTS:
        return 0;
    case WITNESS_FAULT_DOOR_ECHOES:
        memcpy(answer, question, DOOR_QUESTION);
        return DOOR_QUESTION;
    case WITNESS_FAULT_DOOR_BABBLES:
        memcpy(answer, babble, sizeof babble - 1);
        return sizeof babble - 1;
    case WITNESS_FAULT_DOOR_GUESSES:
        answer[DOOR_ANSWER - 2] = answer[DOOR_ANSWER - 2] == '0' ? '1' : '0';
        return DOOR_ANSWER;
    case WITNESS_FAULT_DOOR_HALF:
        return DOOR_ANSWER / 2;
    case WITNESS_FAULT_DOOR_REPEATS:
        memcpy(first ? door->first_answer : answer, first ? answer : door->first_answer, DOOR_ANSWER);
        return DOOR_ANSWER;
    case WITNESS_FAULT_DOOR_ONCE:
        loop_close(&door->house->loop, &door->source);
        return DOOR_ANSWER;
    default:
        return DOOR_ANSWER;
    }
}
