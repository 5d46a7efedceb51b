exec node echo.ts
