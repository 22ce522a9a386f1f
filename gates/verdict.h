/* The verdict on a run, from the judgements on its attempts: fills counts, verdict and reason of `run`. */
#ifndef GATES_VERDICT_H
#define GATES_VERDICT_H

struct run;
void verdict_on_run(struct run *run);

#endif
