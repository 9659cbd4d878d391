// absl::Time to the message. Pure, thread-safe.
#ifndef CHARTLY_DRONE_PIPELINE_PROTO_TIME_H_
#define CHARTLY_DRONE_PIPELINE_PROTO_TIME_H_

#include "absl/time/time.h"
#include "google/protobuf/timestamp.pb.h"

namespace chartly::drone {

inline google::protobuf::Timestamp ToProto(absl::Time time) {
  int64_t nanos = absl::ToUnixNanos(time);
  google::protobuf::Timestamp timestamp;
  timestamp.set_seconds(nanos / 1'000'000'000);
  timestamp.set_nanos(static_cast<int32_t>(nanos % 1'000'000'000));
  return timestamp;
}

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_PIPELINE_PROTO_TIME_H_
