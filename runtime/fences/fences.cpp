#include "krg/fences/fences.h"
