#include "krg/sync_calls/calls.h"
