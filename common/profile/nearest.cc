#include "common/profile/nearest.h"

#include <algorithm>
#include <limits>

namespace chartly {

size_t EditDistance(absl::string_view a, absl::string_view b) {
  // Names longer than any key of ours are cut: the work stays bounded whatever the text holds.
  a = a.substr(0, 128);
  b = b.substr(0, 128);
  std::vector<size_t> before(b.size() + 1), last(b.size() + 1), now(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    now[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      now[j] = std::min({last[j] + 1, now[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0u : 1u)});
      bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) now[j] = std::min(now[j], before[j - 2] + 1);
    }
    before.swap(last);
    last.swap(now);
  }
  return last[b.size()];
}

std::string NearestName(absl::string_view name, const std::vector<std::string>& known) {
  const std::string* best = &known.front();
  size_t best_distance = std::numeric_limits<size_t>::max();
  for (const std::string& candidate : known) {
    size_t distance = EditDistance(name, candidate);
    if (distance >= best_distance) continue;
    best_distance = distance;
    best = &candidate;
  }
  return *best;
}

}  // namespace chartly
