// The one spelling of values that are equal, for the keys of what a report shows.
//
// Keys are equal by value: 5, 5.00 and 5.0 are one key, and so are 10:00+02:00 and 08:00Z. Which of them a record has
// is chance, and which of them other records have is no matter of this row. So the rows that come out of the join have
// none of them: a spelling that depends on the value alone is the same in whatever order the records came, beside
// whatever other records, and whether the report is answered whole or in pieces. Measures stay as they came.
//
// Rules of joins and steps of single inputs come before that, and see values as records have them. Pure functions.
#ifndef CHARTLY_CONTROL_REPORTER_KEY_SPELLING_H_
#define CHARTLY_CONTROL_REPORTER_KEY_SPELLING_H_

#include <memory>

#include "common/value/value.h"
#include "control/reporter/dictionary.h"

namespace chartly::reporter {

// Of a number: an integer if it is one of 64 bits, else a decimal without zeros at its end if it is one of 128 bits and
// 38 places, else a float. Of a time: that of UTC. Other values have no second spelling.
Value KeySpelling(Value value);

// The same of all values, whose order and number stay; the dictionary itself if nothing changes.
DictionaryPtr SpellKeys(const DictionaryPtr& values);

}  // namespace chartly::reporter

#endif  // CHARTLY_CONTROL_REPORTER_KEY_SPELLING_H_
