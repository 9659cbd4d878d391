// Fixed-size little-endian integers, as all files of the spool store them, whatever the machine. Pure functions.
#ifndef CHARTLY_DRONE_SPOOL_LITTLE_ENDIAN_H_
#define CHARTLY_DRONE_SPOOL_LITTLE_ENDIAN_H_

#include <cstdint>
#include <string>

namespace chartly::drone {

inline void PutFixed(std::string& out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
}
inline void PutFixed32(std::string& out, uint32_t value) { PutFixed(out, value, 4); }
inline void PutFixed64(std::string& out, uint64_t value) { PutFixed(out, value, 8); }

inline uint64_t GetFixed(const char* bytes, int count) {
  uint64_t value = 0;
  for (int i = 0; i < count; ++i) value |= uint64_t{static_cast<uint8_t>(bytes[i])} << (8 * i);
  return value;
}
inline uint32_t GetFixed32(const char* bytes) { return static_cast<uint32_t>(GetFixed(bytes, 4)); }
inline uint64_t GetFixed64(const char* bytes) { return GetFixed(bytes, 8); }

}  // namespace chartly::drone

#endif  // CHARTLY_DRONE_SPOOL_LITTLE_ENDIAN_H_
