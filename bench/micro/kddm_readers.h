// Two processes that read one object all the time: who disturbs whom?
#pragma once

#include "krg/harness/contestant.h"

namespace krg::bench {

// An object in the node-shared store; the server is krgd and the other reader.
harness::MakeContestant shared_object();
// One lock in shared memory.
harness::MakeContestant shared_rwlock();
// One word in shared memory, that counts readers in and out.
harness::MakeContestant shared_count();

}  // namespace krg::bench
