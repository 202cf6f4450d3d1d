export { Bus, type MmioDevice, type PortDevice } from './bus.ts';
export { PowerControl } from './power-control.ts';
export { Serial } from './serial.ts';
export { TestRegister } from './test-register.ts';
