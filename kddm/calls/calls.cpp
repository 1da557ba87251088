// The header alone is the module; this makes sure that it compiles by itself.
#include "krg/calls/calls.h"
