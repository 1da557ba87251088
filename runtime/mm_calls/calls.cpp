#include "krg/mm_calls/calls.h"
