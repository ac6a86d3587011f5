#include "tensor.h"

#include <cmath>
#include <cstring>
#include <set>

namespace sut {

namespace {

template <typename T>
T value(const std::byte* data, size_t place) {
    T found;
    std::memcpy(&found, data + place * sizeof(T), sizeof(T));
    return found;
}

double from_half(uint16_t bits) {
    const int exponent = (bits >> 10) & 0x1f;
    const int fraction = bits & 0x3ff;
    const double sign = (bits & 0x8000) != 0 ? -1.0 : 1.0;
    if (exponent == 0x1f) return fraction != 0 ? std::nan("") : sign * HUGE_VAL;
    if (exponent == 0) return sign * std::ldexp(fraction, -24);
    return sign * std::ldexp(fraction + 1024, exponent - 25);
}

std::set<int64_t> frozen_sizes(const Signature& signature) {
    std::set<int64_t> sizes;
    for (const auto& spec : signature.inputs)
        if (!spec.dims.empty() && !spec.dims[0].open()) sizes.insert(spec.dims[0].size);
    return sizes;
}

}  // namespace

const char* name_of(DType type) {
    switch (type) {
        case DType::f16:
            return "float16";
        case DType::f32:
            return "float32";
        case DType::f64:
            return "float64";
        case DType::i8:
            return "int8";
        case DType::u8:
            return "uint8";
        case DType::i16:
            return "int16";
        case DType::u16:
            return "uint16";
        case DType::i32:
            return "int32";
        case DType::u32:
            return "uint32";
        case DType::i64:
            return "int64";
        case DType::u64:
            return "uint64";
        case DType::boolean:
            return "bool";
    }
    return "";
}

size_t size_of(DType type) {
    switch (type) {
        case DType::i8:
        case DType::u8:
        case DType::boolean:
            return 1;
        case DType::f16:
        case DType::i16:
        case DType::u16:
            return 2;
        case DType::f32:
        case DType::i32:
        case DType::u32:
            return 4;
        case DType::f64:
        case DType::i64:
        case DType::u64:
            return 8;
    }
    return 0;
}

double number_at(DType type, const std::byte* data, size_t place) {
    switch (type) {
        case DType::f16:
            return from_half(value<uint16_t>(data, place));
        case DType::f32:
            return static_cast<double>(value<float>(data, place));
        case DType::f64:
            return value<double>(data, place);
        case DType::i8:
            return value<int8_t>(data, place);
        case DType::u8:
        case DType::boolean:
            return value<uint8_t>(data, place);
        case DType::i16:
            return value<int16_t>(data, place);
        case DType::u16:
            return value<uint16_t>(data, place);
        case DType::i32:
            return value<int32_t>(data, place);
        case DType::u32:
            return value<uint32_t>(data, place);
        case DType::i64:
            return static_cast<double>(value<int64_t>(data, place));
        case DType::u64:
            return static_cast<double>(value<uint64_t>(data, place));
    }
    return 0;
}

int64_t elements(const Shape& shape, size_t first) {
    int64_t product = 1;
    for (size_t axis = first; axis < shape.size(); ++axis) product *= shape[axis];
    return product;
}

std::string written(const Shape& shape) {
    std::string text;
    for (const auto size : shape) text += (text.empty() ? "" : ", ") + std::to_string(size);
    return "[" + text + "]";
}

std::string written(const Dims& dims) {
    std::string text;
    for (const auto& dim : dims)
        text += (text.empty() ? "" : ", ") + (dim.open() ? dim.name : std::to_string(dim.size));
    return "[" + text + "]";
}

std::optional<int64_t> Signature::fixed_batch() const {
    const auto sizes = frozen_sizes(*this);
    if (whole() || sizes.empty()) return std::nullopt;
    return *sizes.begin();
}

bool Signature::whole() const {
    const auto sizes = frozen_sizes(*this);
    bool mixed = false;
    for (const auto& spec : inputs) {
        if (spec.dims.empty()) return true;
        mixed = mixed || spec.dims[0].open();
    }
    const bool only_ones = sizes.empty() || (sizes.size() == 1 && *sizes.begin() == 1);
    return sizes.size() > 1 || (mixed && !only_ones);
}

Dims Signature::sample_dims(const TensorSpec& spec) const {
    return whole() ? spec.dims : Dims(spec.dims.begin() + 1, spec.dims.end());
}

}  // namespace sut
