// The part of time that a run covers, and where it stands in a source: {partition.start}, {partition.end} (the first
// moment after it) and {partition.last} (the last one in it), in source.url behind the host, in source.path,
// source.query and source.body, and in source.postgres.query, there as a literal. Pure, thread-safe.
#ifndef CHARTLY_COMMON_PROFILE_PARTITION_H_
#define CHARTLY_COMMON_PROFILE_PARTITION_H_

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/profile/profile.h"

namespace chartly {

struct TimePart {
  absl::Time start;
  absl::Time end;  // the first moment that is not of it
  bool operator==(const TimePart&) const = default;
};

// Whether the source has a place for the part of time that a run covers.
bool UsesPartition(const SourceConfig& source);

// The shortest part that the source can be asked for: a day, say, if it is told days.
absl::Duration ShortestPart(const PartitionConfig& config);

// What a run covers that nobody asked for a part of time: source.partition.window up to now.
TimePart LivePart(const PartitionConfig& config, absl::Time now);

// The source with `part` in its places, widened to whole days, months or years if that is what the source is told.
SourceConfig ForPart(SourceConfig source, const TimePart& part);

// A url without the places behind its host, to be checked.
std::string WithoutPlaces(absl::string_view url);

// The first "{partition.…" of a text that is no place, as far as its brace; empty if there is none.
std::string UnknownPlace(absl::string_view text);

}  // namespace chartly

#endif  // CHARTLY_COMMON_PROFILE_PARTITION_H_
