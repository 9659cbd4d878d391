// Microseconds since 1970 UTC as a protobuf timestamp, also before 1970.
#ifndef CHARTLY_CONTROL_AGGREGATOR_PROTO_TIME_H_
#define CHARTLY_CONTROL_AGGREGATOR_PROTO_TIME_H_

#include "google/protobuf/timestamp.pb.h"

namespace chartly::aggregator {

inline void SetTime(int64_t micros, google::protobuf::Timestamp& out) {
  int64_t seconds = micros / 1000000 - (micros % 1000000 < 0 ? 1 : 0);
  out.set_seconds(seconds);
  out.set_nanos(static_cast<int32_t>((micros - seconds * 1000000) * 1000));
}

}  // namespace chartly::aggregator

#endif  // CHARTLY_CONTROL_AGGREGATOR_PROTO_TIME_H_
